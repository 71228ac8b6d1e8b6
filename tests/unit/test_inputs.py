"""Which values a model's inputs get: by dtype, by what the graph does with them, by the config."""

import numpy as np
import pytest

from onnx_text import model_of
from rivulet.errors import UserError
from rivulet.models.description import depending_outputs, describe
from rivulet.models.given_inputs import with_given
from rivulet.models.inputs import input_values
from rivulet.models.onnx_files import values_beside

TABLE = np.zeros((30, 4), np.float32)
SMALL = np.zeros((2, 4), np.float32)


def entry(dtype, shape=(3, 40), **more):
    return {"name": "x", "shape": list(shape), "dtype": dtype, **more}


def told(graph, **weights):
    """What is found out of each input, by its name."""
    found = describe(model_of(graph, **weights))["inputs"]
    return {
        one["name"]: {k: v for k, v in one.items() if k not in ("name", "shape", "dtype")}
        for one in found
    }


# --- Values --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint8", 0, 256), ("int8", -128, 128), ("int32", 0, 8), ("int64", 0, 8), ("bool", 0, 2)],
)
def test_each_dtype_has_values_over_its_range(dtype, low, high):
    (array,) = input_values([entry(dtype, (100, 100))], 0)
    assert array.dtype == dtype
    assert (array.min(), int(array.max()) + 1) == (low, high)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_are_standard_normal(dtype):
    (array,) = input_values([entry(dtype, (200, 200))], 0)
    assert array.dtype == dtype
    assert abs(float(array.mean(dtype=np.float64))) < 0.02
    assert abs(float(array.std(dtype=np.float64)) - 1) < 0.02


def test_values_follow_from_the_seed_and_inputs_are_drawn_in_their_order():
    inputs = [entry("float32"), entry("int64", range=[0, 1000])]
    first, again, other = (input_values(inputs, seed) for seed in (1, 1, 2))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one != three).any()
    expected = np.random.default_rng(1).standard_normal((3, 40)).astype(np.float32)
    np.testing.assert_array_equal(first[0], expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("more", [{}, {"mask": True, "range": [0, 2]}])
def test_a_scalar_is_an_array_of_no_dimensions(dtype, more):
    (array,) = input_values([entry(dtype, (), **more)], 0)
    assert isinstance(array, np.ndarray)
    assert array.shape == ()
    assert array.dtype == dtype


def test_a_mask_is_mostly_ones_and_never_all_zeros_in_a_row():
    (array,) = input_values([entry("int64", (500, 4), mask=True, range=[0, 2])], 0)
    assert set(np.unique(array)) == {0, 1}
    assert 0.85 < array.mean() < 0.98
    assert array.max(axis=1).min() == 1


# --- What the graph tells ------------------------------------------------------------------------
def test_token_ids_stay_below_the_rows_of_their_table():
    graph = """
        g (int64[1,7] ids) => (float[7,4] y) {
            wide = Cast <to = 6> (ids)
            back = Cast <to = 7> (wide)
            shape = Constant <value_ints = [7]> ()
            flat = Reshape (back, shape)
            y = Gather (table, flat)
        }"""
    assert told(graph, table=TABLE) == {"ids": {"range": [0, 30]}}


def test_the_smallest_table_decides_and_a_comparison_does_not():
    graph = """
        g (int64[7] ids) => (float[7,4] y, bool[7] padding) {
            a = Gather (table, ids)
            b = Gather (small, ids)
            y = Add (a, b)
            zero = Constant <value_int = 0> ()
            padding = Equal (ids, zero)
        }"""
    assert told(graph, table=TABLE, small=SMALL) == {"ids": {"range": [0, 2]}}


@pytest.mark.parametrize(
    ("operator", "indices", "size"),
    [
        ("Gather <axis = 1>", "[3]", 4),
        ("Gather <axis = -2>", "[3]", 5),
        ("GatherElements <axis = 0>", "[2,4]", 5),
        ("GatherND", "[3,2]", 4),
        ("GatherND", "[3,1]", 5),
    ],
)
def test_every_operator_that_indexes_tells_its_extent(operator, indices, size):
    graph = f"""
        g (float[5,4] data, int64{indices} at) => (float y) {{
            picked = {operator} (data, at)
            y = ReduceSum <keepdims = 0> (picked)
        }}"""
    assert told(graph)["at"] == {"range": [0, size]}


def test_classes_of_a_one_hot_and_rows_that_are_scattered_to():
    graph = """
        g (int64[3] label, float[5,4] data, int64[3,1] rows, float[3,4] new) => (float[3,9] y, float[5,4] z) {
            depth = Constant <value = int64[1] {9}> ()
            y = OneHot (label, depth, on_off)
            z = ScatterND (data, rows, new)
        }"""  # noqa: E501
    found = told(graph, on_off=np.array([0, 1], np.float32))
    assert found["label"] == {"range": [0, 9]}
    assert found["rows"] == {"range": [0, 5]}


def test_an_index_within_a_branch_or_a_function_is_found():
    graph = """
        g (bool c, int64[3] ids) => (float[3,4] y) {
            y = If (c) <
                then_branch = t () => (float[3,4] a) { a = Gather (table, ids) },
                else_branch = e () => (float[3,4] b) { b = Gather (table, ids) }
            >
        }"""
    assert told(graph, table=TABLE)["ids"] == {"range": [0, 30]}
    import onnx

    model = model_of(
        "g (int64[3] ids) => (float[3,4] y) { y = own.Embed (table, ids) }",
        '"" : 18, "own" : 1',
        table=TABLE,
    )
    text = '<domain: "own", opset_import: ["" : 18]> Embed (t, i) => (r) { r = Gather (t, i) }'
    model.functions.append(onnx.parser.parse_function(text))
    assert describe(model)["inputs"][0]["range"] == [0, 30]


def test_an_attention_mask_is_known_as_one():
    graph = """
        g (int64[1,7] mask) => (float[1,1,1,7] y) {
            axes = Constant <value_ints = [1, 2]> ()
            wide = Unsqueeze (mask, axes)
            real = Cast <to = 1> (wide)
            one = Constant <value_float = 1.0> ()
            y = Sub (one, real)
        }"""
    assert told(graph) == {"mask": {"range": [0, 2], "mask": True}}


def test_an_image_of_bytes_keeps_its_range_and_a_divisor_is_not_zero():
    graph = """
        g (uint8[1,3,8,8] image, int64[4] by, int64[4] plain) => (float[1,3,8,8] y, int64[4] z) {
            y = Cast <to = 1> (image)
            sum = Add (plain, plain)
            z = Div (sum, by)
        }"""
    assert told(graph) == {
        "image": {"range": [0, 256]},
        "by": {"range": [1, 8]},
        "plain": {"range": [0, 8]},
    }


# --- What the config tells -----------------------------------------------------------------------
def given(tmp_path, one, told, size=None):
    sizes = {} if size is None else {"x": size}
    return with_given([one], told, sizes, tmp_path / "net.onnx", path=tmp_path / "out.onnx")[0]


def test_a_range_takes_the_place_of_what_was_found(tmp_path):
    found = given(tmp_path, entry("int64", mask=True, range=[0, 2]), {"x": [3, 9]})
    assert found == entry("int64", range=[3, 9])
    (array,) = input_values([given(tmp_path, entry("float32"), {"x": [5, 6]})], 0)
    assert 5 <= array.min() < array.max() <= 6


@pytest.mark.parametrize(
    ("dtype", "told", "size", "line"),
    [
        ("int64", {"y": [0, 1]}, None, "'inputs' names an input 'y' that the model has not; its "
         "inputs: x"),
        ("int64", {"x": [0, 0.5]}, None, r"the range \[0, 0.5\], but it is int64; give whole "),
        ("uint8", {"x": [0, 300]}, None, "but it is uint8; give numbers from 0 to 256"),
        ("int64", {"x": [0, 40]}, 30, r"an index of 30 entries; give at most \[0, 30\]"),
        ("bool", {"x": [0, 2]}, None, "but it is bool; leave it out"),
    ],
)  # fmt: skip
def test_a_range_that_does_not_fit_is_refused(tmp_path, dtype, told, size, line):
    with pytest.raises(UserError, match=rf"net\.onnx: .*{line}"):
        given(tmp_path, entry(dtype), told, size)


def test_values_from_a_file_are_kept_beside_the_model(tmp_path):
    array = np.arange(120, dtype=np.int64).reshape(3, 40)
    np.savez(tmp_path / "mine.npz", x=array)
    found = given(tmp_path, entry("int64"), str(tmp_path / "mine.npz"))
    (tmp_path / "mine.npz").unlink()
    assert found["range"] == [0, 120]
    for seed in (0, 1):
        np.testing.assert_array_equal(input_values([found], seed)[0], array)
    given(tmp_path, entry("int64"), None)
    assert not values_beside(tmp_path / "out.onnx").exists()
    with pytest.raises(UserError, match=r"out\.inputs\.npz: no values for the input 'x'"):
        input_values([found], 0)


@pytest.mark.parametrize(
    ("arrays", "size", "line"),
    [
        ({"x": np.zeros((3, 4), np.int64)}, None, r"has the shape \[3, 4\], and the model's input "
         r"\[3, 40\]; write an array of this shape"),
        ({"x": np.zeros((3, 40))}, None, r"is float64, and the model's input int64; convert it "
         r"with \.astype\('int64'\)"),
        ({"X": np.zeros(3)}, None, "names an input 'X' that the model has not; its inputs: x; did"),
        ({"x": np.full((3, 40), 30)}, 30, "from 30 to 30, but is an index of 30 entries"),
        ({"x": np.full((3, 40), None)}, None, "not readable as an .npz file of plain arrays"),
        ({}, None, "has no arrays"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(tmp_path, arrays, size, line):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(UserError, match=rf"mine\.npz.*{line}"):
        given(tmp_path, entry("int64"), str(tmp_path / "mine.npz"), size)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "mine.npz").write_text("no zip")
    with pytest.raises(UserError, match=r"not readable as an \.npz file"):
        given(tmp_path, entry("int64"), str(tmp_path / "mine.npz"))


def test_what_a_node_leaves_out_makes_no_output_depend_on_an_input():
    import onnx
    from onnx import TensorProto, helper

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])

    graph = helper.make_graph(
        [
            helper.make_node("TopK", ["x", "k"], ["y", ""]),
            helper.make_node("Clip", ["c", "", "one"], ["z"]),
        ],
        "m",
        [value("x")],
        [value("y"), value("z")],
        [
            onnx.numpy_helper.from_array(np.array([4], np.int64), "k"),
            onnx.numpy_helper.from_array(np.ones((1, 4), np.float32), "c"),
            onnx.numpy_helper.from_array(np.float32(1), "one"),
        ],
    )
    assert depending_outputs(helper.make_model(graph)) == {"y"}
