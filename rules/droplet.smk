# Droplet: ansor-{trials} log -> results/{hardware}/logs/droplet-{trials}/{model}/
rule refine_droplet:
    input:
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
        " --workloads {input.workloads} --kernels-record {input.kernels}"
        " --source results/{wildcards.hardware}/logs/ansor-{wildcards.trials}/{wildcards.model}"
        " --source-record {input.source}"
        " --journal results/{wildcards.hardware}/journals/droplet-{wildcards.trials}/{wildcards.model}"
        " --out results/{wildcards.hardware}/logs/droplet-{wildcards.trials}/{wildcards.model}"
        " --record {output.record} --log {log}"
