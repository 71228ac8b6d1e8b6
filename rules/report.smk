# Report: everything -> results/report.html
rule make_report:
    input:
        benchmarks="results/benchmarks.csv",
        record="results/benchmarks.json",
        pair_records=FILES.pair_records,
        kernel_tables=FILES.kernel_tables,
        candidates=FILES.candidates,
        kernels=FILES.kernels,
        histories=FILES.histories,
        rankings=FILES.rankings,
        rooflines=FILES.rooflines,
        gains=FILES.gains,
        effects=FILES.effects,
    output:
        page=report(
            "results/report.html",
            caption="captions/report.rst",
            category="1 The whole",
            labels={"what": "report", "form": "page"},
        ),
        record="results/report.json",
    log:
        "logs/report.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("report"),
    shell:
        "python scripts/make_report.py --settings {params.settings:q}"
        " --benchmarks {input.benchmarks} --pair-records {input.pair_records}"
        " --kernel-tables {input.kernel_tables} --rooflines {input.rooflines}"
        " --candidates {input.candidates} --kernels {input.kernels}"
        " --histories {input.histories} --rankings {input.rankings}"
        " --droplet-gains {input.gains} --droplet-effects {input.effects}"
        " --page {output.page} --record {output.record} --log {log}"
