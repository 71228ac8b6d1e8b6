# Warm start: what the pool's transfer measured, and then Ansor's search ->
#   results/{hardware}/logs/warm-{trials}/{model}/
WARM = paths.OWN_LOG.at(own_log="warm")
WARM_JOURNAL = paths.JOURNAL.at(own_log="warm")
POOL_OF_MODEL = TRANSFER.at(log_kind="ansor", source="pool", target="{model}")


rule search_warm:
    input:
        MACHINE_FILE_OF,
        kernels=f"{paths.KERNELS}.json",
        start=POOL_OF_MODEL / paths.RECORD,
    output:
        workloads=WARM / WORKLOADS,
        records=WARM / RECORDS,
        trials=WARM / paths.TRIALS,
        record=WARM / paths.RECORD,
    log:
        WARM.text_log,
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
        + f" --workloads {paths.WORKLOADS.in_shell}"
        " --kernels-record {input.kernels}"
        f" --start {POOL_OF_MODEL.in_shell}/{paths.MEASURED}"
        f" --candidates {POOL_OF_MODEL.in_shell}/{paths.CANDIDATES}"
        " --start-record {input.start}"
        f" --journal {WARM_JOURNAL.in_shell} --out {WARM.in_shell}"
        " --record {output.record} --log {log}"
