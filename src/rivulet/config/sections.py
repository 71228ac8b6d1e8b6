"""The sections of the configuration that say how each stage works."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from rivulet.config.problems import Allowed
from rivulet.config.sources import Settings
from rivulet.config.values import (
    BASELINES,
    BASELINES_ALLOWED,
    RATIO_ALLOWED,
    Milliseconds,
    Seed,
    Share,
    Significance,
    Timeout,
    Tolerance,
    checked_baselines,
    checked_ratio,
)


class Search(Settings):
    """The Ansor search: evolutionary, with a learned cost model, over MetaSchedule's space."""

    seed: Seed = Field(default=42, description="Seed of the search")
    batch_size: int = Field(
        default=16,
        ge=1,
        le=512,
        description="Candidates measured per round of one kernel [candidates]",
    )
    population: int = Field(
        default=48,
        ge=4,
        le=4096,
        description="Candidates that the cost model ranks per round, where it is larger than the "
        "batch [candidates]",
    )
    generations: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Generations that a population evolves per round [generations]",
    )
    mutation_probability: Share = Field(
        default=0.85, description="Probability that a child of a measured candidate is mutated"
    )
    random_share: Share = Field(
        default=0.05,
        description="Share of each batch picked at random instead of by the cost model "
        "(epsilon-greedy)",
    )
    cost_model: Literal["xgb", "random"] = Field(
        default="xgb",
        description="Cost model that ranks candidates: gradient-boosted trees, or a random order",
    )
    scheduler_alpha: Share = Field(
        default=0.2,
        description="Weight of the recent improvement in the gradient task scheduler",
    )
    scheduler_window: int = Field(
        default=3,
        ge=1,
        le=64,
        description="Rounds that the task scheduler takes as recent [rounds]",
    )


class Measure(Settings):
    """How a candidate is built and timed, in every kind of search."""

    warmup_runs: int = Field(
        default=1, ge=0, le=100, description="Untimed runs before the first sample [runs]"
    )
    repeats: int = Field(
        default=3, ge=1, le=100, description="Timed samples per candidate [samples]"
    )
    min_repeat_ms: Milliseconds = Field(
        default=5.0,
        description="Shortest length of a sample, which averages as many runs as fill it [ms]",
    )
    run_timeout_s: Timeout = Field(
        default=10.0, description="Longest time that measuring one candidate may take [s]"
    )
    build_timeout_s: Timeout = Field(
        default=30.0, description="Longest time that building one candidate may take [s]"
    )
    early_stop_ratio: Annotated[
        float,
        AfterValidator(checked_ratio),
        Allowed(RATIO_ALLOWED),
        WithJsonSchema({"anyOf": [{"const": 0}, {"type": "number", "minimum": 1}]}),
    ] = Field(
        default=5.0,
        description="A candidate whose first run is this many times slower than its kernel's "
        "best keeps that one sample; 0 turns this off [times]",
    )
    winner_repeats: int = Field(
        default=6,
        ge=0,
        le=100,
        description="Samples more for a candidate that looks faster than its kernel's best so "
        "far, so that luck alone does not make it the best [samples]",
    )
    cache_flush: bool = Field(
        default=False, description="Whether the CPU's caches are flushed before each sample"
    )
    cold_weights: bool = Field(
        default=True,
        description="Whether each run of a kernel finds its weights in memory and not in the "
        "caches, as it does within a model",
    )
    build_workers: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        default="auto",
        description="Processes that build candidates side by side; auto follows the hardware's "
        "cores [processes]",
    )
    worker_max_uses: int = Field(
        default=500,
        ge=1,
        le=100000,
        description="Candidates after which a worker process is replaced [candidates]",
    )
    worker_memory_gib: Annotated[float, Field(ge=0.25, le=4096)] = Field(
        default=4.0,
        description="Memory that building or running one candidate may take; one that needs more "
        "fails as out of memory, and a worker process that still holds half of it afterwards is "
        "replaced [GiB]",
    )


class Droplet(Settings):
    """The droplet search: coordinate descent from the best schedule of the Ansor log."""

    seed: Seed = Field(default=42, description="Seed of the search")
    trials: int = Field(
        default=200, ge=0, le=1_000_000, description="Trials per model [candidates]"
    )
    significance: Significance = Field(
        default=0.05,
        description="Share of races without a faster challenger that may end with a move all "
        "the same",
    )
    confirm_repeats: int = Field(
        default=8,
        ge=2,
        le=100,
        description="Samples of the incumbent and of each challenger in a race's first look; "
        "near misses get up to four times as many [samples]",
    )
    neighbours_per_round: int = Field(
        default=8, ge=1, le=512, description="Neighbours measured per round [candidates]"
    )
    starts: int = Field(
        default=3,
        ge=1,
        le=12,
        description="Schedules of a kernel that descents may begin from, the best and others "
        "unlike it, where the budget allows [schedules]",
    )
    tolerance: Tolerance = Field(
        default=0.001,
        description="Largest relative error of a kernel's output against the schedule that the "
        "descent began from; less than the benchmark's tolerance for the model counts as that",
    )


class Transfer(Settings):
    """Transfer-tuning: schedules of a source model's log reused on a target model."""

    seed: Seed = Field(default=42, description="Seed of the inputs on which outputs are compared")
    candidates_per_kernel: int = Field(
        default=3,
        ge=1,
        le=256,
        description="Schedules measured per kernel of the target model on average; kernels that "
        "take more of the model's time get more of them [candidates]",
    )
    most_per_kernel: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Schedules measured of one kernel, at most [candidates]",
    )
    considered_per_kernel: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Schedules that the cost model ranks per kernel, those of the most similar "
        "source kernels [candidates]",
    )
    records_per_source_kernel: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Best records taken per kernel of a source's log [records]",
    )
    seconds: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=0.0,
        description="Time after which no more schedules are measured, but for the first of each "
        "kernel, and what is there is settled; 0 for no limit [s]",
    )
    significance: Significance = Field(
        default=0.05, description="p-value below which a faster schedule counts as faster"
    )
    confirm_repeats: int = Field(
        default=8,
        ge=2,
        le=100,
        description="Samples of the incumbent and of the challenger each, before a schedule "
        "is taken [samples]",
    )
    tolerance: Tolerance = Field(
        default=1e-3,
        description="Largest relative error of the model's output against that without schedules; "
        "where it is larger, of each kernel's against the unscheduled kernel; less than the "
        "benchmark's tolerance for the model counts as that",
    )


class WarmStart(Settings):
    """Ansor's search on a target, started from what transfer-tuning measured of the pool."""

    share: Share = Field(
        default=0.15,
        description="Trials of such a search, after the transferred candidates, as a share of "
        "those of the logs that these come from; 0 for none",
    )


class Benchmark(Settings):
    """The comparison of whole models, with all methods interleaved."""

    seed: Seed = Field(
        default=0, description="Seed of the inputs, the order of methods and the bootstrap"
    )
    baselines: Annotated[
        tuple[str, ...],
        BeforeValidator(checked_baselines),
        Allowed(BASELINES_ALLOWED),
        WithJsonSchema({"type": "array", "items": {"enum": list(BASELINES)}, "uniqueItems": True}),
    ] = Field(
        default=("untuned", "onnxruntime", "torch"),
        description="What the searched models are timed beside: TVM without any schedule, ONNX "
        "Runtime, OpenVINO, PyTorch eager and torch.compile (which needs g++), with the same "
        "threads; the latter two for models of torchvision only",
    )
    inputs: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Seeded inputs on which a model's outputs are compared with ONNX Runtime's: "
        "before its kernels are searched, and each method's before it is timed [inputs]",
    )
    processes: int = Field(
        default=4,
        ge=1,
        le=100,
        description="New processes, at least, in each of which all methods are timed; 1 keeps to "
        "one process, whose intervals do not say what another process would show [processes]",
    )
    max_processes: int = Field(
        default=8,
        ge=1,
        le=100,
        description="Processes at most, where intervals stay wider than `precision` [processes]",
    )
    precision: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.04,
        description="Width of a latency's interval, as a share of the latency, that is narrow "
        "enough to stop",
    )
    warmup_runs: int = Field(
        default=3, ge=0, le=1000, description="Untimed runs of each method at the start [runs]"
    )
    samples: int = Field(
        default=15,
        ge=5,
        le=10000,
        description="Rounds of each process, with one sample per method each [samples]",
    )
    min_sample_ms: Milliseconds = Field(
        default=10.0,
        description="Shortest length of a sample, which averages as many runs as fill it [ms]",
    )
    settle_ms: Annotated[float, Field(ge=0, le=1000)] = Field(
        default=5.0,
        description="Pause before each sample, so that one runtime's spinning threads do not "
        "disturb the next [ms]",
    )
    max_seconds_per_method: Annotated[float, Field(gt=0, le=86400)] = Field(
        default=20.0,
        description="Time in a process after which a method rests with the samples it has, five "
        "at least, so that a very slow one does not hold up the others [s]",
    )
    cache_flush: bool = Field(
        default=False,
        description="Clear the caches before each inference, as when a model runs now and then",
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        default=0.95, description="Confidence level of the reported intervals"
    )
    bootstrap_resamples: int = Field(
        default=2000,
        ge=100,
        le=100000,
        description="Bootstrap resamples behind an interval of a single process [resamples]",
    )
    tolerance: Tolerance = Field(
        default=1e-3,
        description="Largest relative error of a model's output against the reference output",
    )
    tolerance_float16: Tolerance = Field(
        default=2e-2,
        description="The same for a model with floats of 16 bits anywhere in it, whose rounding "
        "depends on the order of sums",
    )
    tolerance_qdq: Tolerance = Field(
        default=5e-2,
        description="The same for a quantised model, where a value between two steps may be "
        "rounded to either",
    )


class DropletStudy(Settings):
    """What droplet search is worth: before and after a transfer, and beside more search."""

    after_transfer: bool = Field(
        default=True,
        description="Whether what a transfer from a log without droplet has taken is refined by "
        "droplet search, as one more method of its pair",
    )
    gain: bool = Field(
        default=True,
        description="Whether droplet's gain is measured beside Ansor's search gone on for as many "
        "trials and seconds, for which that search goes beyond the largest trial count by twice "
        "droplet's trials",
    )
    effect: bool = Field(
        default=True,
        description="Whether each pair's variants without and with droplet are timed beside each "
        "other, where both kinds of logs are configured",
    )
    rounds: int = Field(
        default=9, ge=5, le=1000, description="Samples of each schedule of a kernel [samples]"
    )
    repetitions: int = Field(
        default=5, ge=3, le=100, description="Processes that time a pair's variants [processes]"
    )
