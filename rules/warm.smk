# Warm start: what the pool's transfer measured, and then Ansor's search ->
#   results/{hardware}/logs/warm-{trials}/{model}/
WARM = paths.OWN_LOG.at(own_log="warm")
POOL_OF_MODEL = TRANSFER.at(log_kind="ansor", source="pool", target="{model}")


use rule search_schedules as search_warm with:
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
    params:
        settings=settings("warm", "hardware", "trials"),
