# Compile: model and log -> results/{hardware}/libraries/.../*.so; measures nothing, so several
# run side by side.
rule compile_untuned:
    input:
        MACHINE_FILE_OF,
        onnx=ancient(f"{paths.MODEL}.onnx"),
        record=f"{paths.MODEL}.json",
        # A model that is refused there is not compiled either, and told once.
        # Not `ancient`: Snakemake would look no further at a job all of whose producers are.
        kernels=f"{paths.KERNELS}.json",
    output:
        compiled=f"{paths.COMPILED_UNTUNED}.so",
        record=f"{paths.COMPILED_UNTUNED}.json",
    log:
        paths.COMPILED_UNTUNED.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("compile", "hardware"),
    shell:
        command("compile_model")


use rule compile_untuned as compile_tuned with:
    input:
        MACHINE_FILE_OF,
        onnx=ancient(f"{paths.MODEL}.onnx"),
        record=f"{paths.MODEL}.json",
        source_files=ancient([paths.OWN_LOG / file for file in DATABASE]),
        source=paths.OWN_LOG / paths.RECORD,
        kernels=f"{paths.KERNELS}.csv",
    output:
        compiled=f"{paths.COMPILED}.so",
        schedules=f"{paths.COMPILED}.html",
        record=f"{paths.COMPILED}.json",
    log:
        paths.COMPILED.text_log,


# What a transfer took is compiled by its own job; what goes on from it, here.
use rule compile_untuned as compile_refined with:
    input:
        MACHINE_FILE_OF,
        record=f"{MODEL_OF_TARGET}.json",
        source=paths.MOVED_LOG / paths.RECORD,
    output:
        compiled=f"{paths.COMPILED_MOVED}.so",
        schedules=f"{paths.COMPILED_MOVED}.html",
        record=f"{paths.COMPILED_MOVED}.json",
    log:
        paths.COMPILED_MOVED.text_log,
    wildcard_constraints:
        moved=one_of(one.folder for one in methods.moved() if not one.compiles),
