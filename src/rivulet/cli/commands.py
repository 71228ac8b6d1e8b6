"""The subcommands of ``rivulet``. Imported for ``--help``: nothing heavy here."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        name: What one types.
        what: Its line of help.
        elsewhere: The module that has it, where that is none of this folder's.
        is_stage: Whether it is a stage of the workflow.
    """

    name: str
    what: str
    elsewhere: str = ""
    is_stage: bool = False

    @property
    def module(self) -> str:
        """The module whose ``main(arguments)`` runs it and returns the exit status."""
        return self.elsewhere or f"rivulet.cli.{self.name.replace('-', '_')}"


def stage(name: str, what: str) -> Command:
    """A stage of the workflow as a subcommand."""
    return Command(name, what, is_stage=True)


# What they are for, to the commands.
GROUPS = {
    "A run": (
        Command("demo", "run the demonstration from end to end"),
        Command("watch", "see how a running or interrupted workflow stands"),
        Command("summary", "print the collected benchmarks as a table"),
        Command("report", "make a report of what is there of an unfinished run"),
        Command("keep", "keep what a finished run has shown, for a repository"),
    ),
    "Other machines": (
        Command("adopt", "let Snakemake take copied results for what they are"),
        Command("merge", "bring results of other machines here, for one report"),
        Command("rpc", "start an RPC tracker and servers, here or on a board"),
    ),
    "Schedules and models": (
        Command("best", "show the best schedules of a model or a kernel"),
        Command(
            "logs", "show, merge, prune, check, validate or export logs", "rivulet.log_tools.cli"
        ),
        Command("inspect", "show a model's graph as it is prepared, and its kernels"),
    ),
    "Jobs of the workflow, by hand": (
        stage("export", "export a model, or adopt an ONNX file"),
        stage("kernels", "check a model and extract its kernels"),
        stage("roofline", "measure what the machine can do at most"),
        stage("machine", "describe the cluster's node that a hardware name stands for"),
        stage("search", "search schedules for a model"),
        stage("warm", "search, started from what a transfer measured"),
        stage("droplet", "refine a model's log by droplet search"),
        stage("transfer", "reuse the schedules of a source, or of the pool"),
        stage("droplet-transfer", "refine what a transfer took by droplet search"),
        stage("similarity", "rank sources by how alike their kernels are"),
        stage("ranking", "rank sources by the benefit that their logs let expect"),
        stage("compile-untuned", "compile a model without schedules"),
        stage("compile", "compile a model with the best schedules of a log"),
        stage("compile-transfer", "compile a model with the schedules of a pair's log"),
        stage("benchmark", "time all methods of a pair, in turns"),
        stage("collect", "collect the tables of all pairs"),
        stage("gain", "measure what droplet search gained on a model's logs"),
        stage("collect-gain", "collect these tables of all models"),
        stage("effect", "measure what droplet search changes for a pair"),
        stage("collect-effect", "collect these tables of all pairs"),
        stage("package", "make a compiled model a folder that runs by itself"),
        stage("package-transfer", "the same of what a transfer has compiled"),
        stage("full-report", "write the report of a finished run"),
    ),
    "Pages of this project": (
        Command("config-docs", "write the generated files of config/, or check them"),
        Command("table-docs", "write the page of all tables' columns, or check it"),
        Command("model-table", "take torchvision's models through export and extraction"),
        Command("operators", "put ONNX's own node tests through compilation and a run"),
        Command("exported-models", "take models through that PyTorch's exporters write"),
    ),
}
COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
