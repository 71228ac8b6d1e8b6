# Packages: a compiled model and its log -> results/{hardware}/library/{model}-{method}-{trials}/
# Nothing asks for them but you:
#   snakemake --cores 2 results/local/library/resnet18-droplet-5000/manifest.json     one
#   snakemake --cores 2 library                                                       all of them
# A transfer's is {target}-transfer-from-{source}-{trials}, where it goes on with droplet search
# {target}-transfer-droplet-from-{source}-{trials}; both from logs without droplet.
PACKAGE = "results/{hardware}/library/"
OWN_PACKAGES = expand(
    PACKAGE + "{model}-{own_log}-{trials}/manifest.json",
    hardware=DEVICES,
    model=MODELS,
    own_log=["ansor", "droplet"],
    trials=TRIALS,
)


def moved_packages(kind):
    """Packages of all transfers from logs without droplet."""
    return [
        PACKAGE.format(hardware=name)
        + f"{target}-{kind}-from-{source}-{trials}/manifest.json"
        for name in DEVICES
        for source, _, target in (pair.partition("-to-") for pair in TRANSFERS)
        for trials in TRIALS
    ]


rule library:
    input:
        OWN_PACKAGES,
        moved_packages("transfer") if "ansor" in LOGS else [],
        moved_packages("transfer-droplet") if REFINES else [],


rule package_own:
    input:
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
        library=ancient("results/{hardware}/libraries/{own_log}-{trials}/{model}.so"),
        library_record="results/{hardware}/libraries/{own_log}-{trials}/{model}.json",
        log_record="results/{hardware}/logs/{own_log}-{trials}/{model}/log.json",
    output:
        expand(
            PACKAGE + "{{model}}-{{own_log}}-{{trials}}/{file}",
            file=["model.so", "params.npz", "manifest.json", "run.py"],
            allow_missing=True,
        ),
        record=PACKAGE + "{model}-{own_log}-{trials}/package.json",
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
        " --settings {params.settings:q} --onnx {input.onnx} --model-record {input.record}"
        " --library {input.library} --library-record {input.library_record}"
        " --log-record {input.log_record} --out {params.out}"
        " --record {output.record} --log {log}"


rule package_transfer:
    input:
        onnx=ancient("results/models/{target}.onnx"),
        record="results/models/{target}.json",
        library=ancient(
            "results/{hardware}/libraries/{moved}-ansor-{trials}/{source}-to-{target}.so"
        ),
        library_record=lambda wildcards: (
            "results/{hardware}/libraries/transfer-droplet-ansor-{trials}/{source}-to-{target}.json"
            if wildcards.moved == "transfer-droplet"
            else "results/{hardware}/transfer/ansor-{trials}/{source}-to-{target}/log.json"
        ).format(**wildcards),
        log_record="results/{hardware}/{moved}/ansor-{trials}/{source}-to-{target}/log.json",
    output:
        expand(
            PACKAGE + "{{target}}-{{moved}}-from-{{source}}-{{trials}}/{file}",
            file=["model.so", "params.npz", "manifest.json", "run.py"],
            allow_missing=True,
        ),
        record=PACKAGE + "{target}-{moved}-from-{source}-{trials}/package.json",
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
        " --settings {params.settings:q} --onnx {input.onnx} --model-record {input.record}"
        " --library {input.library} --library-record {input.library_record}"
        " --log-record {input.log_record} --out {params.out}"
        " --record {output.record} --log {log}"
