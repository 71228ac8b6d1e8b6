# Export: torchvision's model, or the user's files -> results/models/{model}.onnx, .json
rule export_model:
    input:
        format="rules/export_format.txt",
        user_file=user_file,
    output:
        onnx=f"{paths.MODEL}.onnx",
        record=f"{paths.MODEL}.json",
    log:
        paths.MODEL.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("export", "model"),
    shell:
        "python scripts/export_model.py --subject model={wildcards.model}"
        " --settings {params.settings:q} --format-file {input.format} --onnx {output.onnx} --record {output.record}"
        " --log {log}"
