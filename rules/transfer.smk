# Transfer: the sources' logs and the target's workloads ->
#   results/{hardware}/transfer/{log}-{trials}/{source}-to-{target}/
# where the source is a model, a log of the library, or the pool of all of them.
TRANSFER = "results/{hardware}/transfer/{log_kind}-{trials}/{source}-to-{target}"


rule transfer_schedules:
    input:
        machine=machine_file,
        workloads=ancient("results/{hardware}/kernels/{target}.workloads.json.gz"),
        kernels="results/{hardware}/kernels/{target}.json",
        source_workloads=ancient(
            of_sources("results/{hardware}/kernels/{model}.workloads.json.gz")
        ),
        source_kernels=of_sources("results/{hardware}/kernels/{model}.json"),
        source_files=ancient(
            of_sources(
                "results/{hardware}/logs/{log_kind}-{trials}/{model}/database_workload.json",
                "results/{hardware}/logs/{log_kind}-{trials}/{model}/database_tuning_record.json",
            )
        ),
        source_records=of_sources(
            "results/{hardware}/logs/{log_kind}-{trials}/{model}/log.json"
        ),
        library=library_files,
        onnx=ancient("results/models/{target}.onnx"),
        model="results/models/{target}.json",
        untuned=ancient("results/{hardware}/libraries/untuned/{target}.so"),
        untuned_record="results/{hardware}/libraries/untuned/{target}.json",
    output:
        workloads=f"{TRANSFER}/database_workload.json",
        records=f"{TRANSFER}/database_tuning_record.json",
        trials=f"{TRANSFER}/trials.csv",
        candidates=f"{TRANSFER}/candidates.csv",
        measured_workloads=f"{TRANSFER}/measured/database_workload.json",
        measured_records=f"{TRANSFER}/measured/database_tuning_record.json",
        measured_trials=f"{TRANSFER}/measured/trials.csv",
        compiled="results/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}.so",
        schedules="results/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}.html",
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
        settings=settings("transfer", "hardware", "trials", "source", "target"),
        sources=source_logs,
    shell:
        "python scripts/transfer_schedules.py"
        " --subject name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} log={wildcards.log_kind}"
        " trials={wildcards.trials}"
        " --settings {params.settings:q} --machine {input.machine}"
        " --workloads {input.workloads} --kernels-record {input.kernels}"
        " --sources {params.sources:q}"
        " --source-workloads {input.source_workloads}"
        " --source-kernels-records {input.source_kernels}"
        " --source-records {input.source_records}"
        " --library-files {input.library:q}"
        " --onnx {input.onnx} --model-record {input.model}"
        " --untuned {input.untuned} --untuned-record {input.untuned_record}"
        " --library {output.compiled} --schedules {output.schedules}"
        " --journal results/{wildcards.hardware}/journals/transfer-{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --out results/{wildcards.hardware}/transfer/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --record {output.record} --log {log}"
