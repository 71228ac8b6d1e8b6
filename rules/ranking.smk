# Ranking: all logs of a hardware -> results/{hardware}/transfer/ranking.csv
RANKED_LOGS = expand(
    "results/{{hardware}}/logs/{log_kind}-{trials}/{model}",
    log_kind=LOGS,
    trials=TRIALS,
    model=MODELS,
)


rule rank_sources:
    input:
        workloads=ancient(
            expand(
                "results/{{hardware}}/kernels/{model}.workloads.json.gz", model=MODELS
            )
        ),
        kernels=expand("results/{{hardware}}/kernels/{model}.json", model=MODELS),
        files=ancient([f"{log}/database_tuning_record.json" for log in RANKED_LOGS]),
        logs=[f"{log}/log.json" for log in RANKED_LOGS],
        library=[
            f"{one.log}/database_tuning_record.json" for one in CONFIG.library.values()
        ],
    output:
        table="results/{hardware}/transfer/ranking.csv",
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
        " --workloads {input.workloads} --kernels-records {input.kernels}"
        " --log-records {input.logs} --library-files {input.library:q}"
        " --table {output.table} --record {output.record} --log {log}"
