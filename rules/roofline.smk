# Roofline: nothing -> results/{hardware}/roofline.csv
rule measure_roofline:
    input:
        MACHINE_FILE_OF,
        format=file_of_checkout("rules/roofline_format.txt"),
    output:
        table=report(
            f"{paths.ROOFLINE}.csv",
            caption="captions/roofline.rst",
            category="3 Machines",
            labels={"hardware": "{hardware}", "what": "roofline"},
        ),
        record=f"{paths.ROOFLINE}.json",
    log:
        paths.ROOFLINE.text_log,
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("roofline", "hardware"),
    shell:
        command("measure_roofline")
