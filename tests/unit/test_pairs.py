"""Pairs that are chosen: by family and name, or as a file ranks them."""

import random
import time
from pathlib import Path

import pytest

from rivulet.config import ConfigError, torchvision_names, validate_config
from rivulet.config.pairing import unranked
from rivulet.workflow.choices import transfer_sources
from rivulet.workflow.plan import Plan
from rivulet.workflow.planning import notes_on_pairs
from rivulet.workflow.settings import stage_settings

NAMES = (
    "resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "vgg11", "vgg16",
    "vgg16_bn", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "alexnet",
)  # fmt: skip


def config(pairs, names=NAMES, **more):
    models = {name: {"torchvision": name} for name in names}
    return validate_config({"models": {**models, **more.pop("models", {})}, "pairs": pairs, **more})


def sources(chosen, target):
    return chosen.chosen_sources[target]


def log_folder(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "database_tuning_record.json").write_text("")
    return str(folder)


# --- By family and name --------------------------------------------------------------------------
def test_families_are_those_of_torchvision_without_versions():
    assert torchvision_names.family_of("wide_resnet50_2") == "resnet"
    assert torchvision_names.family_of("mobilenet_v2") == "mobilenet"
    assert torchvision_names.family_of("mobilenet_v3_small") == "mobilenet"
    assert torchvision_names.family_of("my_net") == ""


def test_the_most_similar_come_first():
    chosen = config({"sources": 3})
    assert sources(chosen, "resnet50") == ["resnet34", "resnet101", "resnet18"]
    assert sources(chosen, "vgg16") == ["vgg11", "vgg16_bn", "resnet18"]
    assert sources(chosen, "mobilenet_v2")[:2] == ["mobilenet_v3_large", "mobilenet_v3_small"]
    assert all(len(many) == 3 for many in chosen.chosen_sources.values())
    assert len(chosen.pair_list) == 3 * len(NAMES)


def test_pairs_within_families():
    chosen = config({"within": "families"})
    assert set(sources(chosen, "vgg11")) == {"vgg16", "vgg16_bn"}
    assert sources(chosen, "alexnet") == []
    assert not any("alexnet" in pair for pair in chosen.pair_list)
    assert len(chosen.pair_list) == 5 * 4 + 3 * 2 + 3 * 2


def test_both_limits_together():
    chosen = config({"sources": 2, "within": "families"})
    assert sources(chosen, "resnet18") == ["resnet34", "resnet50"]
    assert sources(chosen, "wide_resnet50_2") == ["resnet50", "resnet34"]


def test_the_same_model_on_a_near_shape_comes_first():
    models = {
        f"at{size}": {"torchvision": "resnet18", "shape": [1, 3, size, size]}
        for size in (64, 200, 224)
    }
    chosen = config({"sources": 2}, names=("resnet34",), models=models)
    assert sources(chosen, "at224") == ["at200", "at64"]


def test_the_order_of_the_config_plays_no_part():
    shuffled = list(NAMES)
    random.Random(1).shuffle(shuffled)
    one, other = config({"sources": 4}), config({"sources": 4}, names=shuffled)
    assert one.chosen_sources == other.chosen_sources
    assert sorted(one.pair_list) == sorted(other.pair_list)


def test_a_limit_above_all_is_all():
    every = config("all")
    assert config({"sources": 100}).pair_list == every.pair_list
    assert config({"sources": 100}).pool_of("alexnet") == every.pool_of("alexnet")


def test_files_and_logs_have_families_too(tmp_path):
    for name in ("resnet50x", "other", "mine"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    models = {
        "resnet50x": {"onnx": str(tmp_path / "resnet50x.onnx")},
        "other": {"onnx": str(tmp_path / "other.onnx"), "family": "vgg"},
        "mine": {"onnx": str(tmp_path / "mine.onnx")},
    }
    donors = {
        "lab": {"log": log_folder(tmp_path, "resnet152")},
        "vgg-lab": {"log": log_folder(tmp_path, "x")},
        "told": {"log": log_folder(tmp_path, "y"), "family": "mine"},
    }
    chosen = config({"within": "families"}, models=models, donors=donors)
    assert {"resnet50x", "lab"} < set(sources(chosen, "resnet50"))
    assert {"other", "vgg-lab"} < set(sources(chosen, "vgg11"))
    assert sources(chosen, "mine") == ["told"]
    assert ("lab", "resnet50") in chosen.pair_list
    assert not any(target in donors for _, target in chosen.pair_list)


# --- Pools ---------------------------------------------------------------------------------------
def test_a_pool_is_made_of_the_chosen_sources():
    chosen = config({"sources": 2})
    assert chosen.pool_of("resnet50") == ["resnet34", "resnet101"]
    assert transfer_sources(chosen, "pool", "resnet50") == ["resnet34", "resnet101"]
    assert chosen.pooled_targets == list(NAMES)
    assert config({"sources": 1}).pooled_targets == []
    assert "alexnet" not in config({"within": "families"}).pooled_targets


# --- Settings of artefacts -----------------------------------------------------------------------
def test_a_family_makes_nothing_stale():
    plain, told = (
        validate_config({"models": {"a": {"torchvision": "alexnet", **more}}})
        for more in ({}, {"family": "mine"})
    )
    one, other = (stage_settings(Plan(config), "export", model="a") for config in (plain, told))
    assert one == other
    assert "family" not in other["model"]


def test_keys_that_are_not_given_make_no_export_stale(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"onnx")
    entry = {"onnx": str(tmp_path / "m.onnx")}
    config = validate_config({"models": {"a": entry}})
    assert stage_settings(Plan(config), "export", model="a")["model"] == entry
    config = validate_config({"models": {"a": {**entry, "shape": [1, 4]}}})
    assert stage_settings(Plan(config), "export", model="a")["model"] == {**entry, "shape": [1, 4]}


def test_a_family_makes_no_other_model():
    models = {"a": {"torchvision": "alexnet"}, "b": {"torchvision": "alexnet", "family": "x"}}
    with pytest.raises(ConfigError, match="'b' has the same definition as 'a'"):
        validate_config({"models": models})


# --- A file's ranking ----------------------------------------------------------------------------
def ranking(tmp_path, text, name="sources.csv"):
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def test_a_file_ranks_and_names_decide_the_rest(tmp_path):
    file = ranking(
        tmp_path,
        "target,source,place,flops_matched\n"
        "vgg16,alexnet,2,0.1\nvgg16,mobilenet_v2,1,0.2\nvgg16,gone,3,0\ngone,vgg16,1,1\n",
    )
    chosen = config({"sources": 3, "ranking": file})
    assert sources(chosen, "vgg16") == ["mobilenet_v2", "alexnet", "vgg11"]
    assert sources(chosen, "resnet50") == sources(config({"sources": 3}), "resnet50")
    assert unranked(chosen.pairs, chosen.models) == [n for n in NAMES if n != "vgg16"]


def test_lines_of_several_logs_are_averaged(tmp_path):
    file = ranking(
        tmp_path,
        "log,trials,target,source,place\n"
        "ansor,10,vgg16,alexnet,1\nansor,10,vgg16,vgg11,2\nansor,10,vgg16,resnet18,3\n"
        "droplet,10,vgg16,alexnet,3\ndroplet,10,vgg16,vgg11,1\ndroplet,10,vgg16,resnet18,2\n",
    )
    assert sources(config({"sources": 2, "ranking": file}), "vgg16") == ["vgg11", "alexnet"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\n", "has no column target, source, place; allowed: names, or a CSV file with the"),
        ("target,source,place\nvgg16,vgg11,x\n", "has in line 2 no target, source and place (a"),
        ("target,source,place\nvgg16,vgg11\n", "has in line 2 no target, source and place (a"),
        ("target,source,place\nx,y,1\n", "ranks no sources of any model of this configuration;"),
        ("", "has no column target, source, place; allowed"),
    ],
)
def test_mistakes_in_a_ranking(tmp_path, monkeypatch, text, line):
    monkeypatch.chdir(tmp_path)
    file = Path(ranking(tmp_path, text)).name
    with pytest.raises(ConfigError) as caught:
        config({"sources": 2, "ranking": file})
    assert str(caught.value).startswith(f"config: pairs.ranking: '{file}' {line}")
    assert "\n" not in str(caught.value)


def test_a_ranking_that_is_not_there():
    with pytest.raises(ConfigError, match=r"pairs.ranking: 'no.csv' is no such file; allowed: nam"):
        config({"sources": 2, "ranking": "no.csv"})


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ({}, "pairs: this limits no pairs; give 'sources' a number, or write 'within: families'"),
        ({"sources": "all"}, "pairs: this limits no pairs"),
        ({"sources": 0}, "pairs.sources: 0 is not valid; allowed: all, or an integer from 1 to"),
        ({"sources": "five"}, "pairs.sources: 'five' is not valid; allowed: all, or an integer"),
        ({"within": "family"}, "pairs.within: 'family' is not a choice; allowed: all or families;"),
        ({"source": 2}, "pairs.source: unknown key; allowed here: sources, within, ranking; did"),
    ],
)
def test_mistakes_in_a_choice(pairs, line):
    with pytest.raises(ConfigError) as caught:
        config(pairs)
    assert f"config: {line}" in str(caught.value)


# --- What the person who plans is told -----------------------------------------------------------
def test_models_without_a_source_or_a_rank_are_named(tmp_path):
    file = ranking(tmp_path, "target,source,place\nvgg16,vgg11,1\n")
    names = ("vgg16", "vgg11", "alexnet")
    notes = notes_on_pairs(config({"within": "families", "ranking": file}, names=names))
    assert notes == [
        "note: pairs: alexnet has no source in its family, so that no transfer is made to it; "
        "give it a family in the config, or leave out 'within: families'",
        f"note: pairs.ranking: {file} ranks no sources of vgg11, alexnet; names decide there",
    ]
    assert notes_on_pairs(config("all", names=names)) == []
    assert notes_on_pairs(config({"sources": 1}, names=names)) == []


# --- Speed ---------------------------------------------------------------------------------------
def test_a_hundred_models_are_paired_at_once_and_remembered():
    models = {f"m{i}": {"torchvision": NAMES[i % 12], "seed": i} for i in range(100)}
    chosen = validate_config({"models": models, "pairs": {"sources": 5}})
    begun = time.perf_counter()
    pairs = chosen.pair_list
    first = time.perf_counter() - begun
    assert len(pairs) == len(set(pairs)) == 500
    assert chosen.pair_list is pairs
    assert chosen.pooled_targets is chosen.pooled_targets
    assert first < 1
