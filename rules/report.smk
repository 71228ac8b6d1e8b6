# Report: everything -> results/report.html
#
# A large matrix has more tables than a command line holds: the script finds them by the
# configuration, and those of the pairs are no inputs, because all of them stand behind the
# collected table.
rule make_report:
    input:
        benchmarks=f"{paths.BENCHMARKS}.csv",
        record=f"{paths.BENCHMARKS}.json",
        kernels=FILES.kernels,
        rankings=FILES.rankings,
        rooflines=FILES.rooflines,
        gains=FILES.gains,
        effects=FILES.effects,
    output:
        page=report(
            f"{paths.REPORT}.html",
            caption="captions/report.rst",
            category="1 The whole",
            labels={"what": "report", "form": "page"},
        ),
        record=f"{paths.REPORT}.json",
    log:
        paths.REPORT.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("report"),
    shell:
        command("make_report")
