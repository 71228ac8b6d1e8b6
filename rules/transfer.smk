# Transfer: the sources' logs and the target's workloads ->
#   results/{hardware}/transfer/{log}-{trials}/{source}-to-{target}/
# where the source is a model, a log of the library, or the pool of all of them.
#
# There are as many pairs as models squared, so their rules name the records of what they read, and
# of what they make only what somebody asks for by name. A record tells all files that it stands
# for, and is taken away before planning when one of them is missing.
TRANSFER = "results/{hardware}/transfer/{log_kind}-{trials}/{source}-to-{target}"


rule transfer_schedules:
    input:
        MACHINE_FILE_OF,
        kernels="results/{hardware}/kernels/{target}.json",
        sources=files_of_sources,
        untuned_record="results/{hardware}/libraries/untuned/{target}.json",
    output:
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
        " --settings {params.settings:q}"
        + MACHINE
        + " --kernels results/{wildcards.hardware}/kernels --target {wildcards.target}"
        " --sources {params.sources:q}"
        " --model results/models/{wildcards.target}.onnx --untuned-record {input.untuned_record}"
        " --library results/{wildcards.hardware}/libraries/transfer-{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}.so"
        " --journal results/{wildcards.hardware}/journals/transfer-{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --out results/{wildcards.hardware}/transfer/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --record {output.record} --log {log}"
