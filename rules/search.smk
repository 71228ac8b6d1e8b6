# Search: workloads -> results/{hardware}/logs/ansor-{trials}/{model}/
#
# The log grows in results/{hardware}/journals, which is no output of any rule: Snakemake deletes
# the outputs of failed and repeated jobs, and must not reach a log that took hours. All trial
# counts of a model share it, and a job measures what is missing up to its own. There is no edge
# from one trial count to the next: Snakemake remembers the names of a job's inputs, so that
# adding a count in between would make the next one stale.
rule search_schedules:
    input:
        MACHINE_FILE_OF,
        workloads=ancient("results/{hardware}/kernels/{model}.workloads.json.gz"),
        kernels="results/{hardware}/kernels/{model}.json",
    output:
        workloads="results/{hardware}/logs/ansor-{trials}/{model}/database_workload.json",
        records="results/{hardware}/logs/ansor-{trials}/{model}/database_tuning_record.json",
        trials="results/{hardware}/logs/ansor-{trials}/{model}/trials.csv",
        record="results/{hardware}/logs/ansor-{trials}/{model}/log.json",
    log:
        "logs/{hardware}/logs/ansor-{trials}/{model}.log",
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
        "python scripts/search_schedules.py --subject model={wildcards.model}"
        " hardware={wildcards.hardware} log=ansor trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-record {input.kernels}"
        " --journal results/{wildcards.hardware}/journals/ansor/{wildcards.model}"
        " --out results/{wildcards.hardware}/logs/ansor-{wildcards.trials}/{wildcards.model}"
        " --record {output.record} --log {log}"
