# Transfer: source's log and target's workloads ->
#   results/{hardware}/transfer/{log}-{trials}/{source}-to-{target}/
TRANSFER = "results/{hardware}/transfer/{log_kind}-{trials}/{source}-to-{target}"


rule transfer_schedules:
    input:
        workloads=ancient("results/{hardware}/kernels/{target}.workloads.json.gz"),
        kernels="results/{hardware}/kernels/{target}.json",
        source_workloads=ancient(
            "results/{hardware}/kernels/{source}.workloads.json.gz"
        ),
        source_kernels="results/{hardware}/kernels/{source}.json",
        source_files=ancient(
            [
                "results/{hardware}/logs/{log_kind}-{trials}/{source}/database_workload.json",
                "results/{hardware}/logs/{log_kind}-{trials}/{source}/database_tuning_record.json",
                "results/{hardware}/logs/{log_kind}-{trials}/{source}/trials.csv",
            ]
        ),
        source="results/{hardware}/logs/{log_kind}-{trials}/{source}/log.json",
    output:
        workloads=f"{TRANSFER}/database_workload.json",
        records=f"{TRANSFER}/database_tuning_record.json",
        trials=f"{TRANSFER}/trials.csv",
        candidates=f"{TRANSFER}/candidates.csv",
        record=f"{TRANSFER}/log.json",
    log:
        "logs/{hardware}/transfer/{log_kind}-{trials}/{source}-to-{target}.log",
    # Before the compilations, which then run side by side while nothing is measured.
    priority: 1
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("transfer", "hardware", "trials"),
    shell:
        "python scripts/transfer_schedules.py"
        " --subject name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} log={wildcards.log_kind}"
        " trials={wildcards.trials}"
        " --settings {params.settings:q}"
        " --workloads {input.workloads} --kernels-record {input.kernels}"
        " --source-workloads {input.source_workloads}"
        " --source-kernels-record {input.source_kernels}"
        " --source-log results/{wildcards.hardware}/logs/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}"
        " --source-record {input.source}"
        " --out results/{wildcards.hardware}/transfer/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --record {output.record} --log {log}"
