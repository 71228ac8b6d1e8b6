"""The workflow as a module of another one, in another folder."""

import json
import subprocess
import sys

import yaml

from conftest import ROOT
from rivulet.provenance import read_record
from workflow.conftest import SMALL, Run, environment, small_models

SNAKEFILE = """
configfile: "mine.yaml"


module rivulet:
    snakefile:
        {snakefile}
    config:
        config["rivulet"]


use rule * from rivulet


rule fastest:
    input:
        "results/local/logs/ansor-24/wide/log.json",
    output:
        "fastest.txt",
    shell:
        "cp {{input}} {{output}}"
"""


def test_another_workflow_goes_on_from_results_of_this_one(tmp_path):
    models = small_models(tmp_path)
    config = {"rivulet": {"models": models, "hardware": {"local": {"threads": 1}}, **SMALL}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    snakefile = SNAKEFILE.format(snakefile=json.dumps(str(ROOT / "Snakefile")))
    (tmp_path / "Snakefile").write_text(snakefile)

    def snakemake(*arguments):
        done = subprocess.run(
            [
                sys.executable, "-m", "snakemake", "--cores", "2", "--workflow-profile",
                str(ROOT / "profiles/default"), *arguments,
            ],
            cwd=tmp_path, env=environment(), text=True, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        return Run(done.returncode, done.stdout)

    run = snakemake("fastest.txt")
    assert run.code == 0, run.text
    assert read_record(tmp_path / "fastest.txt").facts["trials_measured"] == 24
    again = snakemake("fastest.txt", "-n")
    assert again.code == 0, again.text
    assert "Nothing to be done" in again.text
    whole = snakemake("all", "-n")
    assert whole.code == 0, whole.text
    assert whole.jobs["benchmark_pair"] > 0
