# Packages: a compiled model and its log -> results/{hardware}/library/{model}-{method}-{trials}/
# Nothing asks for them but you:
#   snakemake --cores 2 results/local/library/resnet18-droplet-5000/manifest.json     one
#   snakemake --cores 2 packages                                                      all of them
# A transfer's is {target}-transfer-from-{source}-{trials}, where it goes on with droplet search
# {target}-transfer-droplet-from-{source}-{trials}; both from logs without droplet.
OWN_PACKAGE, MOVED_PACKAGE = paths.PACKAGE, paths.MOVED_PACKAGE


rule packages:
    input:
        package_manifests(CONFIG),


# What `packages` was called.
rule library:
    input:
        rules.packages.input,


rule package_own:
    input:
        MACHINE_FILE_OF,
        onnx=ancient(f"{paths.MODEL}.onnx"),
        record=f"{paths.MODEL}.json",
        compiled=ancient(f"{paths.COMPILED}.so"),
        compiled_record=f"{paths.COMPILED}.json",
        log_record=paths.OWN_LOG / paths.RECORD,
    output:
        compiled=OWN_PACKAGE / "model.so",
        weights=OWN_PACKAGE / "params.npz",
        example=OWN_PACKAGE / "example.npz",
        manifest=OWN_PACKAGE / "manifest.json",
        runner=OWN_PACKAGE / "run.py",
        record=OWN_PACKAGE / "package.json",
    log:
        OWN_PACKAGE.text_log,
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("package", "hardware"),
    shell:
        command("package_model")


use rule package_own as package_transfer with:
    input:
        MACHINE_FILE_OF,
        onnx=ancient(f"{MODEL_OF_TARGET}.onnx"),
        record=f"{MODEL_OF_TARGET}.json",
        compiled_record=record_of_moved,
        log_record=paths.MOVED_LOG.at(log_kind="ansor") / paths.RECORD,
    output:
        compiled=MOVED_PACKAGE / "model.so",
        weights=MOVED_PACKAGE / "params.npz",
        example=MOVED_PACKAGE / "example.npz",
        manifest=MOVED_PACKAGE / "manifest.json",
        runner=MOVED_PACKAGE / "run.py",
        record=MOVED_PACKAGE / "package.json",
    log:
        MOVED_PACKAGE.text_log,
