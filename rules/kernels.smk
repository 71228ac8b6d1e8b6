# Kernels: results/models/{model}.onnx -> results/{hardware}/kernels/{model}.csv, .workloads.json.gz
rule extract_kernels:
    input:
        MACHINE_FILE_OF,
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
    output:
        table="results/{hardware}/kernels/{model}.csv",
        workloads="results/{hardware}/kernels/{model}.workloads.json.gz",
        record="results/{hardware}/kernels/{model}.json",
    log:
        "logs/{hardware}/kernels/{model}.log",
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
