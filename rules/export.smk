# Export: torchvision's model, or the user's files -> results/models/{model}.onnx, .json
rule export_model:
    input:
        format=file_of_checkout("rules/export_format.txt"),
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
        command("export_model")
