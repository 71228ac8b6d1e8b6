# Machine: a cluster's node -> results/{hardware}/machine.json, for hardware that is at: cluster.
# The node that this job runs on is the one that the hardware's name stands for from then on.
rule describe_machine:
    output:
        record=f"{paths.MACHINE}.json",
    log:
        paths.MACHINE.text_log,
    conda:
        ENVIRONMENT
    threads: device_threads
    params:
        settings=settings("machine", "hardware"),
    shell:
        command("describe_machine")
