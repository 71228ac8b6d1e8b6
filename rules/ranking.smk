# Ranking: all logs of a hardware -> results/{hardware}/transfer/ranking.csv
#   and before there is any log: all kernels -> results/{hardware}/similarity.csv
# Models that no transfer takes from or goes to need no log for it.
RANKED = [m for m in MODELS if any(m in t.split("-to-") for t in TRANSFERS)] or MODELS
if any(t.startswith("pool-to-") for t in TRANSFERS):
    RANKED = MODELS
RANKED_LOGS = expand(
    "results/{{hardware}}/logs/{log_kind}-{trials}/{model}",
    log_kind=LOGS,
    trials=TRIALS,
    model=RANKED,
)
LIBRARY_FILES = [
    f"{one.log}/{file}" for one in CONFIG.library.values() for file in DATABASE
]


rule compare_kernels:
    input:
        MACHINE_FILE_OF,
        workloads=ancient(
            expand(
                "results/{{hardware}}/kernels/{model}.workloads.json.gz", model=MODELS
            )
        ),
        kernels=expand("results/{{hardware}}/kernels/{model}.json", model=MODELS),
        library=LIBRARY_FILES,
    output:
        table="results/{hardware}/similarity.csv",
        record="results/{hardware}/similarity.json",
    log:
        "logs/{hardware}/similarity.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("similarity", "hardware"),
    shell:
        "python scripts/compare_kernels.py --subject hardware={wildcards.hardware}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-records {input.kernels}"
        " --library-files {input.library:q}"
        " --table {output.table} --record {output.record} --log {log}"


rule rank_sources:
    input:
        MACHINE_FILE_OF,
        workloads=ancient(
            expand(
                "results/{{hardware}}/kernels/{model}.workloads.json.gz", model=RANKED
            )
        ),
        kernels=expand("results/{{hardware}}/kernels/{model}.json", model=RANKED),
        files=ancient([f"{log}/database_tuning_record.json" for log in RANKED_LOGS]),
        logs=[f"{log}/log.json" for log in RANKED_LOGS],
        library=LIBRARY_FILES,
    output:
        table=report(
            "results/{hardware}/transfer/ranking.csv",
            caption="captions/ranking.rst",
            category="3 Machines",
            labels={"hardware": "{hardware}", "what": "ranking of sources"},
        ),
        record="results/{hardware}/transfer/ranking.json",
    log:
        "logs/{hardware}/transfer/ranking.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("ranking", "hardware"),
    shell:
        "python scripts/rank_sources.py --subject hardware={wildcards.hardware}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-records {input.kernels}"
        " --log-records {input.logs} --library-files {input.library:q}"
        " --table {output.table} --record {output.record} --log {log}"
