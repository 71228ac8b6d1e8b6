# Ranking: all logs of a hardware -> results/{hardware}/transfer/ranking.csv
#   and before there is any log: all kernels -> results/{hardware}/similarity.csv
# Models that no transfer takes from or goes to need no log for it.
RANKED = [
    m for m in MODELS if any(m in paths.split_pair(t) for t in TRANSFERS)
] or MODELS
if any(paths.split_pair(t)[0] == paths.POOL for t in TRANSFERS):
    RANKED = MODELS
RANKED_LOGS = [
    paths.OWN_LOG.at(own_log=log, trials=trials, model=model)
    for log, trials, model in itertools.product(LOGS, TRIALS, RANKED)
]
DONOR_FILES = [
    f"{one.log}/{file}" for one in CONFIG.donors.values() for file in DATABASE
]


rule compare_kernels:
    input:
        MACHINE_FILE_OF,
        workloads=ancient([paths.WORKLOADS.at(model=model) for model in MODELS]),
        kernels=[f"{paths.KERNELS.at(model=model)}.json" for model in MODELS],
        donors=DONOR_FILES,
    output:
        table=f"{paths.SIMILARITY}.csv",
        record=f"{paths.SIMILARITY}.json",
    log:
        paths.SIMILARITY.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("similarity", "hardware"),
    shell:
        "python scripts/compare_kernels.py --subject hardware={wildcards.hardware}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-records {input.kernels}"
        " --library-files {input.donors:q}"
        " --table {output.table} --record {output.record} --log {log}"


rule rank_sources:
    input:
        MACHINE_FILE_OF,
        workloads=ancient([paths.WORKLOADS.at(model=model) for model in RANKED]),
        kernels=[f"{paths.KERNELS.at(model=model)}.json" for model in RANKED],
        files=ancient([log / RECORDS for log in RANKED_LOGS]),
        logs=[log / paths.RECORD for log in RANKED_LOGS],
        donors=DONOR_FILES,
    output:
        table=report(
            f"{paths.RANKING}.csv",
            caption="captions/ranking.rst",
            category="3 Machines",
            labels={"hardware": "{hardware}", "what": "ranking of sources"},
        ),
        record=f"{paths.RANKING}.json",
    log:
        paths.RANKING.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("ranking", "hardware"),
    shell:
        "python scripts/rank_sources.py --subject hardware={wildcards.hardware}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-records {input.kernels}"
        " --log-records {input.logs} --library-files {input.donors:q}"
        " --table {output.table} --record {output.record} --log {log}"
