# Compile: model and log -> results/{hardware}/libraries/.../*.so; measures nothing, so several
# run side by side.
rule compile_untuned:
    input:
        MACHINE_FILE_OF,
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
        # A model that is refused there is not compiled either, and told once.
        # Not `ancient`: Snakemake would look no further at a job all of whose producers are.
        kernels="results/{hardware}/kernels/{model}.json",
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
        + MACHINE
        + " --onnx {input.onnx} --model-record {input.record} --kernels-record {input.kernels}"
        " --library {output.library} --record {output.record} --log {log}"


rule compile_tuned:
    input:
        MACHINE_FILE_OF,
        onnx=ancient("results/models/{model}.onnx"),
        record="results/models/{model}.json",
        source_files=ancient(
            [
                "results/{hardware}/logs/{own_log}-{trials}/{model}/database_workload.json",
                "results/{hardware}/logs/{own_log}-{trials}/{model}/database_tuning_record.json",
            ]
        ),
        source="results/{hardware}/logs/{own_log}-{trials}/{model}/log.json",
        kernels="results/{hardware}/kernels/{model}.csv",
    output:
        library="results/{hardware}/libraries/{own_log}-{trials}/{model}.so",
        schedules="results/{hardware}/libraries/{own_log}-{trials}/{model}.html",
        record="results/{hardware}/libraries/{own_log}-{trials}/{model}.json",
    log:
        "logs/{hardware}/libraries/{own_log}-{trials}/{model}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("compile", "hardware"),
    shell:
        "python scripts/compile_model.py --subject what={wildcards.own_log}"
        " model={wildcards.model} hardware={wildcards.hardware} trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --onnx {input.onnx} --model-record {input.record}"
        " --source-log results/{wildcards.hardware}/logs/{wildcards.own_log}-{wildcards.trials}/{wildcards.model}"
        " --source-record {input.source} --kernels {input.kernels} --schedules {output.schedules}"
        " --library {output.library} --record {output.record} --log {log}"
