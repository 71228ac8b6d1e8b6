# What droplet search is worth:
#   logs without and with it, and a longer Ansor search -> results/{hardware}/droplet_gain.csv
#   a pair's variants without and with it -> results/{hardware}/droplet_effect.csv
GAIN = "results/{hardware}/droplet_gain"
EFFECT = "results/{hardware}/droplet_effect"
FURTHEST = gain_trials(CONFIG)[1]
PAIRS = [f"{source}-to-{target}" for source, target in CONFIG.pair_list]


rule measure_droplet_gain:
    input:
        MACHINE_FILE_OF,
        workloads=ancient("results/{hardware}/kernels/{model}.workloads.json.gz"),
        kernels="results/{hardware}/kernels/{model}.json",
        files=ancient(
            expand(
                "results/{{hardware}}/logs/{log}-{trials}/{{model}}/{file}",
                log=["ansor", "droplet"],
                trials=TRIALS,
                file=[
                    "database_workload.json",
                    "database_tuning_record.json",
                    "trials.csv",
                ],
            )
        ),
        moves=ancient(
            expand(
                "results/{{hardware}}/logs/droplet-{trials}/{{model}}/moves.csv",
                trials=TRIALS,
            )
        ),
        further_files=ancient(
            [
                f"results/{{hardware}}/logs/ansor-{FURTHEST}/{{model}}/database_workload.json",
                f"results/{{hardware}}/logs/ansor-{FURTHEST}/{{model}}/database_tuning_record.json",
                f"results/{{hardware}}/logs/ansor-{FURTHEST}/{{model}}/trials.csv",
            ]
        ),
        records=expand(
            "results/{{hardware}}/logs/{log}-{trials}/{{model}}/log.json",
            log=["ansor", "droplet"],
            trials=TRIALS,
        ),
        further=f"results/{{hardware}}/logs/ansor-{FURTHEST}/{{model}}/log.json",
    output:
        table=f"{GAIN}/{{model}}.csv",
        record=f"{GAIN}/{{model}}.json",
    log:
        "logs/{hardware}/droplet_gain/{model}.log",
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("gain", "hardware"),
        ansor=lambda wildcards: [
            f"results/{wildcards.hardware}/logs/ansor-{n}/{wildcards.model}"
            for n in TRIALS
        ],
        droplet=lambda wildcards: [
            f"results/{wildcards.hardware}/logs/droplet-{n}/{wildcards.model}"
            for n in TRIALS
        ],
        further=lambda wildcards, input: os.path.dirname(input.further),
    shell:
        "python scripts/measure_droplet_gain.py"
        " --subject model={wildcards.model} hardware={wildcards.hardware}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --workloads {input.workloads} --kernels-record {input.kernels}"
        " --ansor {params.ansor} --droplet {params.droplet} --further {params.further}"
        " --table {output.table} --record {output.record} --log {log}"


rule collect_droplet_gain:
    input:
        expand(f"{GAIN}/{{model}}.csv", model=MODELS, allow_missing=True),
    output:
        table=report(
            f"{GAIN}.csv",
            caption="captions/droplet_gain.rst",
            category="4 Droplet search",
            labels={"hardware": "{hardware}", "what": "gain", "form": "table"},
        ),
        figure=report(
            f"{GAIN}.svg",
            caption="captions/droplet_gain.rst",
            category="4 Droplet search",
            labels={"hardware": "{hardware}", "what": "gain", "form": "figure"},
        ),
        record=f"{GAIN}.json",
    log:
        "logs/{hardware}/droplet_gain.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("collect-droplet"),
    shell:
        "python scripts/collect_droplet.py --subject hardware={wildcards.hardware}"
        " --settings {params.settings:q} --tables {input} --figure {output.figure}"
        " --table {output.table} --record {output.record} --log {log}"


rule compile_refined:
    input:
        MACHINE_FILE_OF,
        record="results/models/{target}.json",
        source=f"{REFINED}/log.json",
    output:
        library="results/{hardware}/libraries/transfer-droplet-{log_kind}-{trials}/{source}-to-{target}.so",
        schedules="results/{hardware}/libraries/transfer-droplet-{log_kind}-{trials}/{source}-to-{target}.html",
        record="results/{hardware}/libraries/transfer-droplet-{log_kind}-{trials}/{source}-to-{target}.json",
    log:
        "logs/{hardware}/libraries/transfer-droplet-{log_kind}-{trials}/{source}-to-{target}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("compile", "hardware"),
    shell:
        "python scripts/compile_model.py --subject what=transfer-droplet"
        " name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} log={wildcards.log_kind}"
        " trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --onnx results/models/{wildcards.target}.onnx --model-record {input.record}"
        " --source-log results/{wildcards.hardware}/transfer-droplet/{wildcards.log_kind}-{wildcards.trials}/{wildcards.source}-to-{wildcards.target}"
        " --source-record {input.source} --kernels results/{wildcards.hardware}/kernels/{wildcards.target}.csv --schedules {output.schedules}"
        " --library {output.library} --record {output.record} --log {log}"


rule measure_droplet_effect:
    input:
        MACHINE_FILE_OF,
        own=expand(
            "results/{{hardware}}/libraries/{log}-{{trials}}/{{target}}.json",
            log=["ansor", "droplet"],
        ),
        transfers=expand(
            "results/{{hardware}}/transfer/{log}-{{trials}}/{{source}}-to-{{target}}/log.json",
            log=["ansor", "droplet"],
        ),
        refined="results/{hardware}/libraries/transfer-droplet-ansor-{trials}/{source}-to-{target}.json",
    output:
        table=f"{EFFECT}/{{trials}}/{{source}}-to-{{target}}.csv",
        record=f"{EFFECT}/{{trials}}/{{source}}-to-{{target}}.json",
    log:
        "logs/{hardware}/droplet_effect/{trials}/{source}-to-{target}.log",
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("effect", "hardware"),
    shell:
        "python scripts/measure_droplet_effect.py"
        " --subject name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} trials={wildcards.trials}"
        " --settings {params.settings:q}"
        + MACHINE
        + " --model results/models/{wildcards.target}.onnx"
        " --kernels results/{wildcards.hardware}/kernels/{wildcards.target}.csv"
        " --records {input.own} {input.transfers} {input.refined}"
        " --table {output.table} --record {output.record} --log {log}"


rule collect_droplet_effect:
    input:
        expand(
            f"{EFFECT}/{{trials}}/{{pair}}.csv",
            trials=TRIALS,
            pair=PAIRS,
            allow_missing=True,
        ),
    output:
        table=report(
            f"{EFFECT}.csv",
            caption="captions/droplet_effect.rst",
            category="4 Droplet search",
            labels={"hardware": "{hardware}", "what": "effect", "form": "table"},
        ),
        record=f"{EFFECT}.json",
    log:
        "logs/{hardware}/droplet_effect.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("collect-droplet"),
    shell:
        "python scripts/collect_droplet.py --subject hardware={wildcards.hardware}"
        " --settings {params.settings:q} --tables {input}"
        " --table {output.table} --record {output.record} --log {log}"
