# Packages: a compiled model and its log -> results/{hardware}/library/{model}-{method}-{trials}/
# Nothing asks for them but you:
#   snakemake --cores 2 results/local/library/resnet18-droplet-5000/manifest.json     one
#   snakemake --cores 2 library                                                       all of them
# A transfer's is {target}-transfer-from-{source}-{trials}, where it goes on with droplet search
# {target}-transfer-droplet-from-{source}-{trials}; both from logs without droplet.
OWN_PACKAGE = "results/{hardware}/library/{model}-{own_log}-{trials}"
MOVED_PACKAGE = "results/{hardware}/library/{target}-{moved}-from-{source}-{trials}"


rule library:
    input:
        package_manifests(CONFIG),


rule package_own:
    input:
        MACHINE_FILE_OF,
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
        library=ancient("results/{hardware}/libraries/{own_log}-{trials}/{model}.so"),
        library_record="results/{hardware}/libraries/{own_log}-{trials}/{model}.json",
        log_record="results/{hardware}/logs/{own_log}-{trials}/{model}/log.json",
    output:
        library=f"{OWN_PACKAGE}/model.so",
        weights=f"{OWN_PACKAGE}/params.npz",
        example=f"{OWN_PACKAGE}/example.npz",
        manifest=f"{OWN_PACKAGE}/manifest.json",
        runner=f"{OWN_PACKAGE}/run.py",
        record=f"{OWN_PACKAGE}/package.json",
    log:
        "logs/{hardware}/library/{model}-{own_log}-{trials}.log",
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("package", "hardware"),
        out=lambda wildcards, output: os.path.dirname(output.record),
    shell:
        "python scripts/package_model.py"
        " --subject what={wildcards.own_log} model={wildcards.model}"
        " hardware={wildcards.hardware} trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --onnx {input.onnx} --model-record {input.record}"
        " --library {input.library} --library-record {input.library_record}"
        " --log-record {input.log_record} --out {params.out}"
        " --record {output.record} --log {log}"


rule package_transfer:
    input:
        MACHINE_FILE_OF,
        onnx=ancient("results/models/{target}.onnx"),
        record="results/models/{target}.json",
        library_record=record_of_moved,
        log_record="results/{hardware}/{moved}/ansor-{trials}/{source}-to-{target}/log.json",
    output:
        library=f"{MOVED_PACKAGE}/model.so",
        weights=f"{MOVED_PACKAGE}/params.npz",
        example=f"{MOVED_PACKAGE}/example.npz",
        manifest=f"{MOVED_PACKAGE}/manifest.json",
        runner=f"{MOVED_PACKAGE}/run.py",
        record=f"{MOVED_PACKAGE}/package.json",
    log:
        "logs/{hardware}/library/{target}-{moved}-from-{source}-{trials}.log",
    wildcard_constraints:
        moved="transfer|transfer-droplet",
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("package", "hardware"),
        out=lambda wildcards, output: os.path.dirname(output.record),
    shell:
        "python scripts/package_model.py"
        " --subject what={wildcards.moved} model={wildcards.target} source={wildcards.source}"
        " hardware={wildcards.hardware} trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --onnx {input.onnx} --model-record {input.record}"
        " --library results/{wildcards.hardware}/libraries/{wildcards.moved}-ansor-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}.so --library-record {input.library_record}"
        " --log-record {input.log_record} --out {params.out}"
        " --record {output.record} --log {log}"
