# Transfer: the sources' logs and the target's workloads ->
#   results/{hardware}/transfer/{log}-{trials}/{source}-to-{target}/
# where the source is a model, a donor, or the pool of all of them.
#
# There are as many pairs as models squared, so their rules name the records of what they read, and
# of what they make only what somebody asks for by name. A record tells all files that it stands
# for, and is taken away before planning when one of them is missing.
TRANSFER = paths.MOVED_LOG.at(moved="transfer")


use rule search_schedules as transfer_schedules with:
    input:
        MACHINE_FILE_OF,
        kernels=f"{KERNELS_OF_TARGET}.json",
        sources=files_of_sources,
        untuned_record=f"{UNTUNED_OF_TARGET}.json",
    output:
        record=TRANSFER / paths.RECORD,
    log:
        TRANSFER.text_log,
    # Before the compilations, which then run side by side while nothing is measured.
    priority: 1
    params:
        settings=settings("transfer", "hardware", "trials", "source", "target"),
        sources=source_logs,
