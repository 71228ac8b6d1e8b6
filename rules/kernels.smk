# Kernels: results/models/{model}.onnx -> results/{hardware}/kernels/{model}.csv, .workloads.json.gz
rule extract_kernels:
    input:
        MACHINE_FILE_OF,
        onnx=ancient(f"{paths.MODEL}.onnx"),
        record=f"{paths.MODEL}.json",
    output:
        table=f"{paths.KERNELS}.csv",
        workloads=paths.WORKLOADS,
        record=f"{paths.KERNELS}.json",
    log:
        paths.KERNELS.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("kernels", "hardware"),
    shell:
        command("extract_kernels")
