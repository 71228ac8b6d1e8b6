# Report: everything -> results/report.html
PAIR_FOLDERS = expand(
    "results/{hardware}/transfer/{log_kind}-{trials}/{pair}",
    hardware=DEVICES,
    log_kind=LOGS,
    trials=TRIALS,
    pair=TRANSFERS,
)

# How the logs grew, of all models that are a target.
TARGETS = [
    model for model in MODELS if any(t.endswith(f"-to-{model}") for t in TRANSFERS)
]
OWN_HISTORIES = expand(
    "results/{hardware}/logs/{own_log}-{trials}/{model}/trials.csv",
    hardware=DEVICES,
    own_log=["ansor", "droplet"],
    trials=TRIALS,
    model=TARGETS,
) + expand(
    "results/{hardware}/logs/warm-{trials}/{model}/trials.csv",
    hardware=DEVICES,
    trials=TRIALS,
    model=WARM_TARGETS,
)
REFINED_HISTORIES = expand(
    "results/{hardware}/transfer-droplet/ansor-{trials}/{pair}/trials.csv",
    hardware=DEVICES,
    trials=TRIALS,
    pair=TRANSFERS if REFINES else [],
)
RANKINGS = expand("results/{hardware}/transfer/ranking.csv", hardware=DEVICES)
if not TRANSFERS:
    RANKINGS = []


rule make_report:
    input:
        benchmarks="results/benchmarks.csv",
        record="results/benchmarks.json",
        pair_records=[table.removesuffix(".csv") + ".json" for table in PAIR_TABLES],
        candidates=[f"{folder}/candidates.csv" for folder in PAIR_FOLDERS],
        kernels=expand(
            "results/{hardware}/kernels/{model}.csv", hardware=DEVICES, model=MODELS
        ),
        histories=OWN_HISTORIES
        + [f"{folder}/trials.csv" for folder in PAIR_FOLDERS]
        + REFINED_HISTORIES,
        rankings=RANKINGS,
        gains=GAIN_TABLES,
        effects=EFFECT_TABLES,
    output:
        page="results/report.html",
        record="results/report.json",
    log:
        "logs/report.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("report"),
    shell:
        "python scripts/make_report.py --settings {params.settings:q}"
        " --benchmarks {input.benchmarks} --pair-records {input.pair_records}"
        " --candidates {input.candidates} --kernels {input.kernels}"
        " --histories {input.histories} --rankings {input.rankings}"
        " --droplet-gains {input.gains} --droplet-effects {input.effects}"
        " --page {output.page} --record {output.record} --log {log}"
