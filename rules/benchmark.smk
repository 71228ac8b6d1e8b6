# Benchmark: compiled variants of a target -> results/{hardware}/benchmarks/{log}-{trials}/
#   {source}-to-{target}.csv, and all pairs -> results/benchmarks.csv
# Droplet search on what a transfer has taken stands beside it. A target's own methods stand in
# the table of each of its pairs, measured there beside the transfer; the search started from the
# pool stands beside the pool.


rule benchmark_pair:
    input:
        MACHINE_FILE_OF,
        roofline=f"{paths.ROOFLINE}.json",
        records=records_of_pair,
    output:
        table=report(
            f"{paths.BENCHMARK}.csv",
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
        kernels=report(
            f"{paths.BENCHMARK_KERNELS}.csv",
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
        samples=f"{paths.BENCHMARK_SAMPLES}.csv",
        record=f"{paths.BENCHMARK}.json",
    log:
        paths.BENCHMARK.text_log,
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("benchmark", "hardware"),
        methods=names_of_pair,
    shell:
        command("benchmark_pair")


rule collect_benchmarks:
    input:
        all_pair_tables,
    output:
        table=report(
            f"{paths.BENCHMARKS}.csv",
            caption="captions/benchmarks.rst",
            category="1 The whole",
            labels={"what": "all methods", "form": "table"},
        ),
        record=f"{paths.BENCHMARKS}.json",
    log:
        paths.BENCHMARKS.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("collect"),
    shell:
        command("collect_benchmarks")
