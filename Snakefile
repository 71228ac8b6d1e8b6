# Rivulet: how fast can each model get on each device, and how little search does it take?
#
#   snakemake --cores 2                                   the matrix of config/config.yaml
#   snakemake --cores 2 --configfile config/demo.yaml     another one
#   snakemake --cores 2 results/local/benchmarks/ansor-5000/resnet50-to-alexnet.csv    one pair
from snakemake.utils import min_version

min_version("9.0")


# As a module of another workflow it has the config from there.
if not config and not workflow.config_settings.configfiles:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/machine.smk"
include: "rules/export.smk"
include: "rules/kernels.smk"
include: "rules/search.smk"
include: "rules/transfer.smk"
include: "rules/droplet.smk"
include: "rules/warm.smk"
include: "rules/ranking.smk"
include: "rules/compile.smk"
include: "rules/roofline.smk"
include: "rules/benchmark.smk"
include: "rules/packages.smk"
include: "rules/droplet_study.smk"
include: "rules/report.smk"


localrules:
    all,
    packages,
    library,


rule all:
    default_target: True
    input:
        f"{paths.BENCHMARKS}.csv",
        f"{paths.REPORT}.html",
        FILES.gains,
        FILES.effects,
