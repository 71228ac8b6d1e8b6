# Benchmark: compiled variants of a target -> results/{hardware}/benchmarks/{log}-{trials}/
#   {source}-to-{target}.csv, and all pairs -> results/benchmarks.csv
# Droplet search on what a transfer has taken stands beside it. A target's own methods stand in
# the table of each of its pairs, measured there beside the transfer; the search started from the
# pool stands beside the pool.
OWN = "results/{hardware}/libraries/{method}-{trials}/{target}"
OWN_LOG = "results/{hardware}/logs/{method}-{trials}/{target}/log.json"
REFINED_LIBRARY = "results/{hardware}/libraries/transfer-droplet-{log_kind}-{trials}/{source}-to-{target}"


rule benchmark_pair:
    input:
        onnx=ancient("results/models/{target}.onnx"),
        record="results/models/{target}.json",
        kernels="results/{hardware}/kernels/{target}.json",
        roofline="results/{hardware}/roofline.csv",
        untuned=ancient(of_untuned("results/{hardware}/libraries/untuned/{target}.so")),
        untuned_record=of_untuned("results/{hardware}/libraries/untuned/{target}.json"),
        libraries=ancient(of_methods(f"{OWN}.so")),
        library_records=of_methods(f"{OWN}.json"),
        logs=of_methods(OWN_LOG),
        ansor_trials=ancient(
            "results/{hardware}/logs/ansor-{trials}/{target}/trials.csv"
        ),
        transferred=ancient(
            "results/{hardware}/libraries/transfer-{log_kind}-{trials}/{source}-to-{target}.so"
        ),
        transfer=f"{TRANSFER}/log.json",
        refined=ancient(of_refined(f"{REFINED_LIBRARY}.so")),
        refined_library=of_refined(f"{REFINED_LIBRARY}.json"),
        refined_log=of_refined(f"{REFINED}/log.json"),
    output:
        table=report(
            "results/{hardware}/benchmarks/{log_kind}-{trials}/{source}-to-{target}.csv",
            caption="captions/pair.rst",
            category="2 Pairs",
            subcategory="{target}",
            labels={
                "source": "{source}",
                "log": "{log_kind}-{trials}",
                "what": "methods",
                "hardware": "{hardware}",
            },
        ),
        samples="results/{hardware}/benchmarks/{log_kind}-{trials}/samples/{source}-to-{target}.csv",
        kernels=report(
            "results/{hardware}/benchmarks/{log_kind}-{trials}/kernels/{source}-to-{target}.csv",
            caption="captions/kernels.rst",
            category="2 Pairs",
            subcategory="{target}",
            labels={
                "source": "{source}",
                "log": "{log_kind}-{trials}",
                "what": "kernels",
                "hardware": "{hardware}",
            },
        ),
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
        methods=methods,
    shell:
        "python scripts/benchmark_pair.py"
        " --subject name={wildcards.source}-to-{wildcards.target} source={wildcards.source}"
        " target={wildcards.target} hardware={wildcards.hardware} log={wildcards.log_kind}"
        " trials={wildcards.trials} --settings {params.settings:q}"
        " --onnx {input.onnx} --model-record {input.record} --kernels-record {input.kernels}"
        " --roofline {input.roofline}"
        " --methods {params.methods}"
        " --libraries {input.untuned} {input.libraries} {input.transferred} {input.refined}"
        " --library-records {input.untuned_record} {input.library_records} {input.refined_library}"
        " --log-records {input.logs} {input.transfer} {input.refined_log} --ansor-trials {input.ansor_trials}"
        " --table {output.table} --samples {output.samples} --kernel-table {output.kernels}"
        " --record {output.record} --log {log}"


rule collect_benchmarks:
    input:
        all_pair_tables,
    output:
        table=report(
            "results/benchmarks.csv",
            caption="captions/benchmarks.rst",
            category="1 The whole",
            labels={"what": "all methods", "form": "table"},
        ),
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
