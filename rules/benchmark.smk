# Benchmark: compiled variants of a target -> results/{hardware}/benchmarks/{log}-{trials}/
#   {source}-to-{target}.csv, and all pairs -> results/benchmarks.csv
VARIANTS = [
    "results/{hardware}/libraries/untuned/{target}",
    "results/{hardware}/libraries/ansor-{trials}/{target}",
    "results/{hardware}/libraries/droplet-{trials}/{target}",
    "results/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}",
]
PAIR_TABLES = expand(
    "results/{hardware}/benchmarks/{log_kind}-{trials}/{pair}.csv",
    hardware=DEVICES,
    log_kind=LOGS,
    trials=TRIALS,
    pair=PAIRS,
)


rule benchmark_pair:
    input:
        onnx=ancient("results/models/{target}.onnx"),
        record="results/models/{target}.json",
        kernels="results/{hardware}/kernels/{target}.json",
        libraries=ancient([f"{variant}.so" for variant in VARIANTS]),
        library_records=[f"{variant}.json" for variant in VARIANTS],
        log_records=[
            "results/{hardware}/logs/ansor-{trials}/{target}/log.json",
            "results/{hardware}/logs/droplet-{trials}/{target}/log.json",
            f"{TRANSFER}/log.json",
        ],
    output:
        table="results/{hardware}/benchmarks/{log_kind}-{trials}/{source}-to-{target}.csv",
        record="results/{hardware}/benchmarks/{log_kind}-{trials}/{source}-to-{target}.json",
    log:
        "logs/{hardware}/benchmarks/{log_kind}-{trials}/{source}-to-{target}.log",
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("benchmark", "hardware"),
    shell:
        "python scripts/benchmark_pair.py"
        " --subject name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} log={wildcards.log_kind}"
        " trials={wildcards.trials} --settings {params.settings:q}"
        " --onnx {input.onnx} --model-record {input.record} --kernels-record {input.kernels}"
        " --libraries {input.libraries} --library-records {input.library_records}"
        " --log-records {input.log_records}"
        " --table {output.table} --record {output.record} --log {log}"


rule collect_benchmarks:
    input:
        PAIR_TABLES,
    output:
        table="results/benchmarks.csv",
        record="results/benchmarks.json",
    log:
        "logs/benchmarks.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("collect"),
    shell:
        "python scripts/collect_benchmarks.py --settings {params.settings:q}"
        " --tables {input} --table {output.table} --record {output.record} --log {log}"
