# Report: everything -> results/report.html
PAIR_FOLDERS = expand(
    "results/{hardware}/transfer/{log_kind}-{trials}/{pair}",
    hardware=DEVICES,
    log_kind=LOGS,
    trials=TRIALS,
    pair=PAIRS,
)


rule make_report:
    input:
        benchmarks="results/benchmarks.csv",
        record="results/benchmarks.json",
        pair_records=[table.removesuffix(".csv") + ".json" for table in PAIR_TABLES],
        candidates=[f"{folder}/candidates.csv" for folder in PAIR_FOLDERS],
        kernels=expand(
            "results/{hardware}/kernels/{model}.csv", hardware=DEVICES, model=MODELS
        ),
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
        " --page {output.page} --record {output.record} --log {log}"
