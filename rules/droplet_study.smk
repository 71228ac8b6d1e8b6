# What droplet search is worth:
#   logs without and with it, and a longer Ansor search -> results/{hardware}/droplet_gain.csv
#   a pair's variants without and with it -> results/{hardware}/droplet_effect.csv
FURTHEST = SEARCH.at(trials=gain_trials(CONFIG)[1])
# Of a model, at each trial count: without droplet search and with it.
WITHOUT, WITH = [
    [log.at(trials=trials) for trials in TRIALS] for log in (SEARCH, DROPLET)
]


rule measure_droplet_gain:
    input:
        MACHINE_FILE_OF,
        workloads=ancient(paths.WORKLOADS),
        kernels=f"{paths.KERNELS}.json",
        files=ancient(
            [
                log / file
                for log in [*WITHOUT, *WITH]
                for file in [*DATABASE, paths.TRIALS]
            ]
        ),
        moves=ancient([log / "moves.csv" for log in WITH]),
        further_files=ancient([FURTHEST / file for file in [*DATABASE, paths.TRIALS]]),
        records=[log / paths.RECORD for log in [*WITHOUT, *WITH]],
        further=FURTHEST / paths.RECORD,
    output:
        table=f"{paths.GAIN_OF_MODEL}.csv",
        record=f"{paths.GAIN_OF_MODEL}.json",
    log:
        paths.GAIN_OF_MODEL.text_log,
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("gain", "hardware"),
        ansor=lambda wildcards: [log.format(**wildcards) for log in WITHOUT],
        droplet=lambda wildcards: [log.format(**wildcards) for log in WITH],
    shell:
        command("measure_droplet_gain")


rule collect_droplet_gain:
    input:
        [f"{paths.GAIN_OF_MODEL.at(model=model)}.csv" for model in MODELS],
    output:
        table=report(
            f"{paths.GAIN}.csv",
            caption="captions/droplet_gain.rst",
            category="4 Droplet search",
            labels={"hardware": "{hardware}", "what": "gain", "form": "table"},
        ),
        figure=report(
            f"{paths.GAIN}.svg",
            caption="captions/droplet_gain.rst",
            category="4 Droplet search",
            labels={"hardware": "{hardware}", "what": "gain", "form": "figure"},
        ),
        record=f"{paths.GAIN}.json",
    log:
        paths.GAIN.text_log,
    conda:
        ENVIRONMENT
    params:
        settings=settings("collect-droplet"),
    shell:
        command("collect_droplet")


rule measure_droplet_effect:
    input:
        MACHINE_FILE_OF,
        own=[compiled_record(log).at(model="{target}") for log in ("ansor", "droplet")],
        transfers=[
            TRANSFER.at(log_kind=log) / paths.RECORD for log in ("ansor", "droplet")
        ],
        refined=compiled_record("transfer+droplet").at(log_kind="ansor"),
    output:
        table=f"{paths.EFFECT_OF_PAIR}.csv",
        record=f"{paths.EFFECT_OF_PAIR}.json",
    log:
        paths.EFFECT_OF_PAIR.text_log,
    conda:
        ENVIRONMENT
    threads: device_threads
    resources:
        device=1,
    params:
        settings=settings("effect", "hardware"),
    shell:
        command("measure_droplet_effect")


use rule collect_droplet_gain as collect_droplet_effect with:
    input:
        [
            f"{paths.EFFECT_OF_PAIR.at(trials=trials, source=source, target=target)}.csv"
            for trials, (source, target) in itertools.product(TRIALS, CONFIG.pair_list)
        ],
    output:
        table=report(
            f"{paths.EFFECT}.csv",
            caption="captions/droplet_effect.rst",
            category="4 Droplet search",
            labels={"hardware": "{hardware}", "what": "effect", "form": "table"},
        ),
        record=f"{paths.EFFECT}.json",
    log:
        paths.EFFECT.text_log,
