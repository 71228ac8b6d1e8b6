# Compile: model and log -> results/{hardware}/libraries/.../*.so; measures nothing, so several
# run side by side.
rule compile_untuned:
    input:
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
    output:
        library="results/{hardware}/libraries/untuned/{model}.so",
        record="results/{hardware}/libraries/untuned/{model}.json",
    log:
        "logs/{hardware}/libraries/untuned/{model}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("compile", "hardware"),
    shell:
        "python scripts/compile_model.py --subject what=untuned model={wildcards.model}"
        " hardware={wildcards.hardware} --settings {params.settings:q}"
        " --onnx {input.onnx} --model-record {input.record}"
        " --library {output.library} --record {output.record} --log {log}"


rule compile_tuned:
    input:
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
        source_files=ancient(
            [
                "results/{hardware}/logs/{log_kind}-{trials}/{model}/database_workload.json",
                "results/{hardware}/logs/{log_kind}-{trials}/{model}/database_tuning_record.json",
            ]
        ),
        source="results/{hardware}/logs/{log_kind}-{trials}/{model}/log.json",
    output:
        library="results/{hardware}/libraries/{log_kind}-{trials}/{model}.so",
        record="results/{hardware}/libraries/{log_kind}-{trials}/{model}.json",
    log:
        "logs/{hardware}/libraries/{log_kind}-{trials}/{model}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("compile", "hardware"),
    shell:
        "python scripts/compile_model.py --subject what={wildcards.log_kind}"
        " model={wildcards.model} hardware={wildcards.hardware} trials={wildcards.trials}"
        " --settings {params.settings:q} --onnx {input.onnx} --model-record {input.record}"
        " --source-log results/{wildcards.hardware}/logs/{wildcards.log_kind}-{wildcards.trials}/{wildcards.model}"
        " --source-record {input.source}"
        " --library {output.library} --record {output.record} --log {log}"


rule compile_transferred:
    input:
        onnx=ancient("results/models/{target}.onnx"),
        record="results/models/{target}.json",
        source_files=ancient(
            [
                f"{TRANSFER}/database_workload.json",
                f"{TRANSFER}/database_tuning_record.json",
            ]
        ),
        source=f"{TRANSFER}/log.json",
    output:
        library="results/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}.so",
        record="results/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}.json",
    log:
        "logs/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("compile", "hardware"),
    shell:
        "python scripts/compile_model.py"
        " --subject what=transfer name={wildcards.source}-to-{wildcards.target}"
        " hardware={wildcards.hardware} log={wildcards.log_kind} trials={wildcards.trials}"
        " --settings {params.settings:q} --onnx {input.onnx} --model-record {input.record}"
        " --source-log results/{wildcards.hardware}/transfer/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --source-record {input.source}"
        " --library {output.library} --record {output.record} --log {log}"
