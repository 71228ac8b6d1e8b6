# Export: torchvision's model, or the user's file -> results/models/{model}.onnx, .json
def user_file(wildcards):
    """The user's ONNX file is an input; a torchvision model has none."""
    definition = CONFIG.models[wildcards.model]
    return [definition.onnx] if hasattr(definition, "onnx") else []


rule export_model:
    input:
        user_file,
    output:
        onnx="results/models/{model}.onnx",
        record="results/models/{model}.json",
    params:
        settings=settings("export", "model"),
    log:
        "logs/models/{model}.log",
    conda:
        ENVIRONMENT
    shell:
        "{PYTHON} scripts/export_model.py --subject model={wildcards.model}"
        " --settings {params.settings:q} --onnx {output.onnx} --record {output.record}"
        " --log {log}"
