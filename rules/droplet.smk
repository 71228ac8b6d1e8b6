# Droplet: ansor-{trials} log -> results/{hardware}/logs/droplet-{trials}/{model}/, and
#   transfer -> results/{hardware}/transfer-droplet/{log}-{trials}/{source}-to-{target}/
REFINED = "results/{hardware}/transfer-droplet/{log_kind}-{trials}/{source}-to-{target}"


rule refine_droplet:
    input:
        MACHINE_FILE_OF,
        workloads=ancient("results/{hardware}/kernels/{model}.workloads.json.gz"),
        kernels="results/{hardware}/kernels/{model}.json",
        source_files=ancient(
            [
                "results/{hardware}/logs/ansor-{trials}/{model}/database_workload.json",
                "results/{hardware}/logs/ansor-{trials}/{model}/database_tuning_record.json",
                "results/{hardware}/logs/ansor-{trials}/{model}/trials.csv",
            ]
        ),
        source="results/{hardware}/logs/ansor-{trials}/{model}/log.json",
    output:
        workloads="results/{hardware}/logs/droplet-{trials}/{model}/database_workload.json",
        records="results/{hardware}/logs/droplet-{trials}/{model}/database_tuning_record.json",
        trials="results/{hardware}/logs/droplet-{trials}/{model}/trials.csv",
        gains="results/{hardware}/logs/droplet-{trials}/{model}/gains.csv",
        moves="results/{hardware}/logs/droplet-{trials}/{model}/moves.csv",
        record="results/{hardware}/logs/droplet-{trials}/{model}/log.json",
    log:
        "logs/{hardware}/logs/droplet-{trials}/{model}.log",
    # Before the compilations, which then run side by side while nothing is measured.
    priority: 1
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("droplet", "hardware", "trials"),
    shell:
        "python scripts/refine_droplet.py --subject model={wildcards.model}"
        " hardware={wildcards.hardware} log=droplet trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-record {input.kernels}"
        " --source results/{wildcards.hardware}/logs/ansor-{wildcards.trials}/{wildcards.model}"
        " --source-record {input.source}"
        " --journal results/{wildcards.hardware}/journals/droplet-{wildcards.trials}/{wildcards.model}"
        " --out results/{wildcards.hardware}/logs/droplet-{wildcards.trials}/{wildcards.model}"
        " --record {output.record} --log {log}"


rule refine_transfer:
    input:
        MACHINE_FILE_OF,
        kernels="results/{hardware}/kernels/{target}.json",
        source=f"{TRANSFER}/log.json",
    output:
        record=f"{REFINED}/log.json",
    log:
        "logs/{hardware}/transfer-droplet/{log_kind}-{trials}/{source}-to-{target}.log",
    priority: 1
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("droplet", "hardware", "trials"),
    shell:
        "python scripts/refine_droplet.py"
        " --subject name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} log={wildcards.log_kind}"
        " trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads results/{wildcards.hardware}/kernels/{wildcards.target}.workloads.json.gz --kernels-record {input.kernels}"
        " --source results/{wildcards.hardware}/transfer/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --source-record {input.source}"
        " --more-schedules results/{wildcards.hardware}/transfer/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}/measured"
        " --journal results/{wildcards.hardware}/journals/transfer-droplet-{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --out results/{wildcards.hardware}/transfer-droplet/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --record {output.record} --log {log}"
