# Warm start: what the pool's transfer measured, and then Ansor's search ->
#   results/{hardware}/logs/warm-{trials}/{model}/
POOL_OF_MODEL = "results/{hardware}/transfer/ansor-{trials}/pool-to-{model}"


rule search_warm:
    input:
        MACHINE_FILE_OF,
        kernels="results/{hardware}/kernels/{model}.json",
        start=f"{POOL_OF_MODEL}/log.json",
    output:
        workloads="results/{hardware}/logs/warm-{trials}/{model}/database_workload.json",
        records="results/{hardware}/logs/warm-{trials}/{model}/database_tuning_record.json",
        trials="results/{hardware}/logs/warm-{trials}/{model}/trials.csv",
        record="results/{hardware}/logs/warm-{trials}/{model}/log.json",
    log:
        "logs/{hardware}/logs/warm-{trials}/{model}.log",
    priority: 1
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("warm", "hardware", "trials"),
    shell:
        "python scripts/search_warm.py --subject model={wildcards.model}"
        " hardware={wildcards.hardware} log=warm trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads results/{wildcards.hardware}/kernels/{wildcards.model}.workloads.json.gz --kernels-record {input.kernels}"
        " --start results/{wildcards.hardware}/transfer/ansor-{wildcards.trials}/pool-to-{wildcards.model}/measured"
        " --candidates results/{wildcards.hardware}/transfer/ansor-{wildcards.trials}/pool-to-{wildcards.model}/candidates.csv"
        " --start-record {input.start}"
        " --journal results/{wildcards.hardware}/journals/warm-{wildcards.trials}/{wildcards.model}"
        " --out results/{wildcards.hardware}/logs/warm-{wildcards.trials}/{wildcards.model}"
        " --record {output.record} --log {log}"
