# Ranking: all logs of a hardware -> results/{hardware}/transfer/ranking.csv
#   and before there is any log: all kernels -> results/{hardware}/similarity.csv
RANKED = ranked_models(CONFIG)
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
        command("compare_kernels")


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
        command("rank_sources")
