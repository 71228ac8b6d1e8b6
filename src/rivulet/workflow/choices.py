"""What the config asks for, as questions that planning, settings and jobs have in common."""

from __future__ import annotations

from collections.abc import Mapping

from rivulet.config.model import Config
from rivulet.hardware.fingerprint import Device
from rivulet.hardware.place import CPU
from rivulet.methods import DROPLET, TRANSFER_DROPLET, UNTUNED, method_of
from rivulet.paths import POOL, Pattern, compiled_record_of
from rivulet.workflow.matrix import makes, methods_of_pair, transfers_of


def device_of(config: Config, hardware: str) -> Device:
    """The configured device."""
    return Device.from_settings(hardware, config.plain["hardware"][hardware])


def planned_hardware(config: Config) -> list[str]:
    """The hardware whose results this workflow makes; others are copied here from elsewhere."""
    return [name for name, one in config.hardware.items() if one.at != "elsewhere"]


def gain_trials(config: Config) -> tuple[list[int], int]:
    """Trial counts of Ansor's search that are of use to measure droplet's gain.

    Returns:
        The counts that cost as many candidates as a log with droplet, and the furthest one, which
        leaves room for a comparison at equal time too: a trial of droplet search takes longer.
    """
    budget = config.droplet.trials
    return [n + budget for n in config.trials], max(config.trials) + 2 * budget


def studies_gain(config: Config) -> bool:
    """Whether droplet's gain is measured."""
    return config.droplet_study.gain and config.droplet.trials > 0


def studies_effect(config: Config) -> bool:
    """Whether the pairs' variants without and with droplet are timed beside each other."""
    after = makes(config, method_of(TRANSFER_DROPLET))
    return config.droplet_study.effect and after and DROPLET in config.logs


def baselines_of(config: Config, model: str, hardware: str) -> list[str]:
    """What a model is timed beside on some hardware.

    PyTorch knows torchvision's models only; on a device over RPC there is TVM's runtime and
    nothing else; and the builds of the runtimes that are installed know no GPU.
    """
    device = device_of(config, hardware)
    if not device.is_here or device.kind != CPU:
        return [b for b in config.benchmark.baselines if b == UNTUNED]
    known = hasattr(config.models[model], "torchvision")
    return [b for b in config.benchmark.baselines if known or not b.startswith("torch")]


def transfer_sources(config: Config, source: str, target: str) -> list[str]:
    """The sources that a transfer takes schedules from: one, or all that make the pool."""
    return config.pool_of(target) if source == POOL else [source]


def milestones(config: Config) -> list[int]:
    """Trial counts at which a search is published on its way.

    The comparisons with droplet search look at further moments than the configured ones.
    """
    further = gain_trials(config)[0] if studies_gain(config) else []
    return sorted({*config.trials, *further})


def table_methods(config: Config, pair: Mapping[str, str]) -> list[str]:
    """The methods of a pair's table, in order.

    Args:
        config: The configuration.
        pair: Its ``source``, ``target``, ``hardware`` and ``log_kind``.
    """
    baselines = baselines_of(config, pair["target"], pair["hardware"])
    searched = methods_of_pair(config, pair["source"], pair["log_kind"])
    return [*baselines, *(one.name for one in searched)]


def compiled_records(config: Config, source: str, log_kind: str) -> dict[str, Pattern]:
    """Method to the record of what is compiled of a pair, in the order of its table."""
    untuned = [method_of(UNTUNED)] if UNTUNED in config.benchmark.baselines else []
    return {
        one.name: compiled_record_of(one).at(model="{target}")
        for one in [*untuned, *methods_of_pair(config, source, log_kind)]
    }


def ranked_models(config: Config) -> list[str]:
    """The models whose logs are ranked as sources: those that no transfer is of need none."""
    transfers = transfers_of(config)
    if any(source == POOL for source, _ in transfers):
        return list(config.models)
    named = {name for pair in transfers for name in pair}
    return [model for model in config.models if model in named] or list(config.models)
