# Export: torchvision's model, or the user's file -> results/models/{model}.onnx, .json
rule export_model:
    input:
        user_file,
    output:
        onnx="results/models/{model}.onnx",
        record="results/models/{model}.json",
    log:
        "logs/models/{model}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("export", "model"),
    shell:
        "python scripts/export_model.py --subject model={wildcards.model}"
        " --settings {params.settings:q} --onnx {output.onnx} --record {output.record}"
        " --log {log}"
