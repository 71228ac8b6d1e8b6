# Droplet: ansor-{trials} log -> results/{hardware}/logs/droplet-{trials}/{model}/, and
#   transfer -> results/{hardware}/transfer-droplet/{log}-{trials}/{source}-to-{target}/
DROPLET = paths.OWN_LOG.at(own_log="droplet")
TRANSFER_DROPLET = paths.MOVED_LOG.at(moved="transfer-droplet")


use rule search_schedules as refine_droplet with:
    input:
        MACHINE_FILE_OF,
        workloads=ancient(paths.WORKLOADS),
        kernels=f"{paths.KERNELS}.json",
        source_files=ancient([SEARCH / file for file in [*DATABASE, paths.TRIALS]]),
        source=SEARCH / paths.RECORD,
    output:
        workloads=DROPLET / WORKLOADS,
        records=DROPLET / RECORDS,
        trials=DROPLET / paths.TRIALS,
        gains=DROPLET / "gains.csv",
        moves=DROPLET / "moves.csv",
        record=DROPLET / paths.RECORD,
    log:
        DROPLET.text_log,
    # Before the compilations, which then run side by side while nothing is measured.
    priority: 1
    params:
        settings=settings("droplet", "hardware", "trials"),


use rule search_schedules as refine_transfer with:
    input:
        MACHINE_FILE_OF,
        kernels=f"{KERNELS_OF_TARGET}.json",
        source=TRANSFER / paths.RECORD,
    output:
        record=TRANSFER_DROPLET / paths.RECORD,
    log:
        TRANSFER_DROPLET.text_log,
    priority: 1
    params:
        settings=settings("droplet", "hardware", "trials"),
