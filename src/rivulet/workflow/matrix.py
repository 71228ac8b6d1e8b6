"""What the matrix of a configuration is made of: its transfers, and the methods of each."""

from __future__ import annotations

from rivulet import methods
from rivulet.config.model import Config
from rivulet.methods import Method
from rivulet.paths import PAIR, POOL


def transfers_of(config: Config) -> list[tuple[str, str]]:
    """Source and target of every transfer, pools after pairs."""
    return [*config.pair_list, *((POOL, target) for target in config.pooled_targets)]


def transfer_names(config: Config) -> list[str]:
    """``{source}-to-{target}`` of every transfer, in the same order."""
    return [PAIR.format(source=source, target=target) for source, target in transfers_of(config)]


def source_logs(config: Config, method: Method) -> list[str]:
    """Kinds of the sources' logs from which a method is made; none where it is switched off."""
    kinds = [kind for kind in config.logs if kind in method.source_logs]
    return kinds if _is_on(config, method) else []


def makes(config: Config, method: Method) -> bool:
    """Whether any log of a method is made."""
    if method.source_logs:
        return bool(source_logs(config, method))
    return _is_on(config, method)


def models_of(config: Config, method: Method) -> list[str]:
    """The models that get a method's search of their own."""
    if not makes(config, method):
        return []
    return config.pooled_targets if method.from_pool else list(config.models)


def methods_of_pair(config: Config, source: str, log_kind: str) -> list[Method]:
    """What is searched and timed in a pair's table, in order: the target's own methods too."""
    return [
        one
        for one in methods.logged()
        if _is_on(config, one)
        and (not one.source_logs or log_kind in one.source_logs)
        and (not one.from_pool or source == POOL)
    ]


def _is_on(config: Config, method: Method) -> bool:
    return all(_value(config, key) > 0 for key in method.switches)


def _value(config: Config, key: str) -> float:
    section, _, name = key.partition(".")
    return float(getattr(getattr(config, section), name))
