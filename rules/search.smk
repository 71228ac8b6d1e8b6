# Search: workloads -> results/{hardware}/logs/ansor-{trials}/{model}/
#
# The log grows in results/{hardware}/journals, which is no output of any rule: Snakemake deletes
# the outputs of failed and repeated jobs, and must not reach a log that took hours. All trial
# counts of a model share it, and a job measures what is missing up to its own. There is no edge
# from one trial count to the next: Snakemake remembers the names of a job's inputs, so that
# adding a count in between would make the next one stale.
SEARCH = paths.OWN_LOG.at(own_log="ansor")


rule search_schedules:
    input:
        MACHINE_FILE_OF,
        workloads=ancient(paths.WORKLOADS),
        kernels=f"{paths.KERNELS}.json",
    output:
        workloads=SEARCH / WORKLOADS,
        records=SEARCH / RECORDS,
        trials=SEARCH / paths.TRIALS,
        record=SEARCH / paths.RECORD,
    log:
        SEARCH.text_log,
    # Before the compilations, which then run side by side while nothing is measured; small trial
    # counts before the large ones that go on from them.
    priority: lambda wildcards: 1 + 1 / int(wildcards.trials)
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("search", "hardware", "trials"),
    shell:
        command("tune_model")
