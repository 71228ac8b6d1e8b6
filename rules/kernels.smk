# Kernels: results/models/{model}.onnx -> results/{hardware}/kernels/{model}.csv, .workloads.json.gz
rule extract_kernels:
    input:
        MACHINE_FILE_OF,
        onnx=ancient(paths.MODEL + ".onnx"),
        record=paths.MODEL + ".json",
    output:
        table=paths.KERNELS + ".csv",
        workloads=paths.WORKLOADS,
        record=paths.KERNELS + ".json",
    log:
        paths.KERNELS.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("kernels", "hardware"),
    shell:
        "python scripts/extract_kernels.py"
        " --subject model={wildcards.model} hardware={wildcards.hardware}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --onnx {input.onnx} --model-record {input.record}"
        " --table {output.table} --workloads {output.workloads} --record {output.record}"
        " --log {log}"
