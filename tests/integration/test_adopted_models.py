"""Users' ONNX files as they come: adopted and run by ONNX Runtime, or refused in one line."""

import numpy as np
import pytest

from onnx_text import model_of
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.models.adopt import adopt_onnx
from rivulet.models.description import check_onnx
from rivulet.models.inputs import input_values
from rivulet.models.onnx_files import external_files, files_of, user_files
from rivulet.models.trial_run import open_onnx, run_onnx

RELU = "g (float[{}] x) => (float[{}] y) {{ y = Relu(x) }}"


@pytest.fixture
def adopt(tmp_path):
    """Adopts a model; returns its record's facts and what was said."""

    def adopted(model, **told):
        import onnx

        heard = []
        onnx.save(model, str(tmp_path / "net.onnx"))
        facts = adopt_onnx(tmp_path / "net.onnx", tmp_path / "copy.onnx", heard.append, **told)
        return facts, heard[1:]

    return adopted


# --- Dtypes and outputs --------------------------------------------------------------------------
def test_inputs_of_every_dtype_and_scalars_run(adopt, tmp_path):
    import onnx

    names = ("int64", "int32", "int8", "uint8", "bool", "float16", "float", "double")
    inputs = ", ".join(f"{name}[2,3] x_{name}, {name} s_{name}" for name in names)
    outputs = ", ".join(f"float[2,3] y_{name}, float t_{name}" for name in names)
    body = " ".join(
        f"y_{name} = Cast <to = 1> (x_{name}) t_{name} = Cast <to = 1> (s_{name})" for name in names
    )
    facts, _ = adopt(model_of(f"g ({inputs}) => ({outputs}) {{ {body} }}"))
    assert len(facts["inputs"]) == 2 * len(names)
    arrays = input_values(facts["inputs"], 3)
    for array, found in zip(
        arrays, run_onnx(open_onnx(tmp_path / "copy.onnx"), arrays), strict=True
    ):
        np.testing.assert_array_equal(found, array.astype(np.float32))
    assert onnx.load(str(tmp_path / "copy.onnx")) == onnx.load(str(tmp_path / "net.onnx"))


def test_compiled_code_computes_the_same_of_token_ids_masks_bytes_and_halves(
    adopt, target, tmp_path
):
    draw = np.random.default_rng(0).standard_normal
    facts, _ = adopt(
        model_of(
            """
            g (int64[1,6] ids, int32[1,6] mask, uint8[1,6,4] image, bool[1,6,1] keep,
               float16[4] half, double[1] wide, float gain) => (float[1,6,4] y, int64[1,6] same) {
                rows = Gather (table, ids)
                real = Cast <to = 1> (mask)
                axes = Constant <value = int64[1] {2}> ()
                column = Unsqueeze (real, axes)
                masked = Mul (rows, column)
                bytes = Cast <to = 1> (image)
                kept = Where (keep, masked, bytes)
                h = Cast <to = 1> (half)
                d = Cast <to = 1> (wide)
                a = Add (kept, h)
                b = Mul (a, d)
                y = Mul (b, gain)
                same = Identity (ids)
            }""",
            table=draw((9, 4)).astype(np.float32),
        )
    )
    arrays = input_values(facts["inputs"], 0)
    model = prepare_model(tmp_path / "copy.onnx", target)
    compile_model(model, target, None, tmp_path / "model.so")
    compiled = CompiledModel(tmp_path / "model.so", model.params)
    compiled.bind(arrays)
    compiled.run()
    expected = run_onnx(open_onnx(tmp_path / "copy.onnx"), arrays)
    for ours, theirs in zip(compiled.outputs(), expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_outputs_of_every_kind_are_compared(adopt):
    facts, heard = adopt(
        model_of("""
        g (float[4,5] x) => (bool[4,5] positive, int64[4,1] best, uint8[4,5] byte, float[0,5] none,
                             float[4,5] y) {
            zero = Constant <value_float = 0.0> ()
            positive = Greater (x, zero)
            best = ArgMax <axis = 1> (x)
            byte = Cast <to = 2> (positive)
            start = Constant <value_ints = [0]> ()
            none = Slice (x, start, start)
            y = Relu (x)
        }""")
    )
    assert heard == []
    assert facts["outputs"] == ["positive", "best", "byte", "none", "y"]
    assert facts["input_sensitivity"] > 0.1


def test_each_output_that_hardly_depends_on_the_input_is_named_and_constants_are_not(adopt):
    facts, heard = adopt(
        model_of(
            """
        g (float[4] x) => (float[4] deaf, float[4] prior, float[4] y) {
            tiny = Constant <value_float = 0.0001> ()
            large = Constant <value_float = 10.0> ()
            small = Mul (x, tiny)
            deaf = Add (small, large)
            prior = Identity (w)
            y = Relu (x)
        }""",
            w=np.ones(4, np.float32),
        )
    )
    (line,) = heard
    assert line.startswith("warning: output 'deaf' hardly depends on the input (changes by ")
    assert facts["input_sensitivity"] > 0.1


# --- Values that no random number is -------------------------------------------------------------
def test_a_model_that_knows_no_negative_numbers_asks_for_the_key_and_takes_it(adopt):
    model = model_of("""
        g (float[2,8] x) => (float[2,1] y) {
            l = Log (x)
            axes = Constant <value_ints = [1]> ()
            y = ReduceSum (l, axes)
        }""")
    with pytest.raises(
        UserError,
        match=r"net\.onnx: all outputs are NaN for random input.*'inputs: \{x: \[0, 1\]\}' or",
    ):
        adopt(model)
    facts, heard = adopt(model, given={"x": [0.5, 2]})
    assert heard == []
    assert facts["inputs"][0]["range"] == [0.5, 2]


def test_some_values_that_are_no_numbers_are_warned_of(adopt):
    _, heard = adopt(model_of("g (float[100] x) => (float[100] y) { y = Log(x) }"))
    (line,) = heard
    assert line.startswith("warning: NaN or infinity is in the output 'y' (")
    assert "'inputs: {x: [0, 1]}'" in line


def test_ranges_make_what_is_made_of_the_model_stale(adopt, tmp_path):
    copies = []
    for ends in ([0, 1], [0, 2]):
        adopt(model_of(RELU.format(4, 4)), given={"x": ends})
        copies.append((tmp_path / "copy.onnx").read_bytes())
    assert copies[0] != copies[1]


def test_values_from_a_file_are_what_the_model_runs_on(adopt, tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.full(4, 7, np.float32))
    facts, _ = adopt(model_of(RELU.format(4, 4)), given=str(tmp_path / "mine.npz"))
    assert facts["input_sensitivity"] is None
    np.testing.assert_array_equal(input_values(facts["inputs"], 5)[0], np.full(4, 7))
    assert [path.name for path in files_of(tmp_path / "copy.onnx")] == [
        "copy.onnx", "copy.inputs.npz",
    ]  # fmt: skip


# --- Shapes --------------------------------------------------------------------------------------
TWO = """
    g (int64[batch,seq] ids, int64[batch,seq] mask, float[1,3] fixed) => (float[batch,seq] y) {
        both = Mul (ids, mask)
        y = Cast <to = 1> (both)
    }"""


def test_open_dimensions_are_all_listed_with_the_line_to_write(adopt):
    with pytest.raises(UserError) as caught:
        adopt(model_of(TWO))
    assert str(caught.value).endswith(
        "net.onnx: schedules are searched for fixed shapes, but these inputs have open dimensions: "
        "'ids' [batch, seq], 'mask' [batch, seq]; write in the model's entry, with sizes of your "
        "choice, 'shape: {ids: [1, 128], mask: [1, 128]}'"
    )
    odd = "g (float[N,C,H,W] x, float[N,1,H,?] z) => (float[N,C,H,W] y) { y = Add(x, z) }"
    model = model_of(odd.replace("?", "w"))
    model.graph.input[0].name = model.graph.node[0].input[0] = "in:0"
    with pytest.raises(UserError, match=r'\{"in:0": \[1, 3, 224, 224\], z: \[1, 1, 224, 224\]\}'):
        adopt(model)


def test_sizes_that_are_told_are_in_the_copy_and_fill_dimensions_of_the_same_name(adopt, tmp_path):
    import onnx

    model = model_of(TWO)
    shape = onnx.helper.make_tensor_value_info("both", onnx.TensorProto.INT64, [3, 3])
    model.graph.value_info.append(shape)  # stale, as exporters leave it
    facts, _ = adopt(model, shape={"ids": [2, 16]})
    assert [one["shape"] for one in facts["inputs"]] == [[2, 16], [2, 16], [1, 3]]
    graph = onnx.load(str(tmp_path / "copy.onnx")).graph
    assert [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim] == [2, 16]
    assert len(graph.value_info) == 0


def test_a_plain_list_is_the_shape_of_the_only_input_also_of_unknown_rank(adopt):
    model = model_of(RELU.format("N", "N"))
    assert adopt(model, shape=[5])[0]["inputs"][0]["shape"] == [5]
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(UserError, match=r"'x' \(of no known rank\).*'shape: \{x: \["):
        adopt(model)
    assert adopt(model, shape=[5, 2])[0]["inputs"][0]["shape"] == [5, 2]


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ({"idz": [1, 2]}, "'shape' names an input 'idz' that the model has not; its inputs: ids, "
         "mask, fixed; did you mean 'ids'?"),
        ({"ids": [1, 2, 3]}, "gives the input 'ids' the shape [1, 2, 3], but the file has [batch, "
         "seq]"),
        ({"fixed": [1, 4]}, "gives the input 'fixed' the shape [1, 4], but the file has [1, 3]"),
        ([1, 2], "does not say of which input it is the shape; name each that has open dimensions"),
    ],
)  # fmt: skip
def test_a_shape_that_does_not_fit_is_refused(adopt, shape, line):
    with pytest.raises(UserError) as caught:
        adopt(model_of(TWO), shape=shape)
    assert line in str(caught.value)


def test_sizes_that_the_model_does_not_take_are_told_as_such(adopt):
    graph = """
        g (float[n] x) => (float[2,3] y) {
            sizes = Constant <value_ints = [2, 3]> ()
            y = Reshape (x, sizes)
        }"""
    assert adopt(model_of(graph), shape=[6])[0]["inputs"][0]["shape"] == [6]
    with pytest.raises(UserError, match=r"net\.onnx: .*, or give 'shape' other sizes$"):
        adopt(model_of(graph), shape=[7])


# --- Files ---------------------------------------------------------------------------------------
@pytest.fixture
def split(tmp_path):
    """A model with its weights in a file beside it, one of them within a branch."""
    import onnx

    model = model_of(
        """
        g (bool c, float[64] x) => (float[64] y) {
            z = Add (x, w)
            y = If (c) <
                then_branch = t () => (float[64] a) { a = Relu (z) },
                else_branch = e () => (float[64] b) { b = Neg (z) }
            >
        }""",
        w=np.ones(64, np.float32),
    )
    path = tmp_path / "net.onnx"
    onnx.save(
        model, str(path), save_as_external_data=True, location="net.onnx.data", size_threshold=0
    )
    return path


def test_weights_beside_the_file_are_inputs_of_the_export(split, tmp_path):
    assert external_files(split) == [tmp_path / "net.onnx.data"]
    np.savez(tmp_path / "v.npz", x=np.zeros(1))
    definition = {"onnx": str(split), "inputs": str(tmp_path / "v.npz")}
    assert user_files(definition) == [str(split), f"{split}.data", str(tmp_path / "v.npz")]
    adopt_onnx(split, tmp_path / "copy.onnx", lambda _: None)
    (tmp_path / "net.onnx.data").unlink()
    assert check_onnx(tmp_path / "copy.onnx")["outputs"] == ["y"]
    assert user_files({"onnx": str(split)}) == [str(split)]
    with pytest.raises(UserError, match=r"net\.onnx: its weights are in .*net\.onnx\.data, which"):
        adopt_onnx(split, tmp_path / "copy.onnx", lambda _: None)


def test_a_file_without_weights_beside_it_has_none(small_onnx, tmp_path):
    assert external_files(small_onnx) == []
    for text in (b"", b"\x0a\x08location\x12 no model"):
        (tmp_path / "x.onnx").write_bytes(text)
        assert external_files(tmp_path / "x.onnx") == []


def test_ai_onnx_is_the_default_domain_and_others_alone_are_refused(adopt):
    model = model_of(RELU.format(4, 4), '"ai.onnx" : 18')
    assert adopt(model)[0]["opset"] == 18
    other = "g (float[1,2] x) => (float[1,2] y) { y = ai.onnx.ml.Scaler <offset = [0.0]> (x) }"
    with pytest.raises(UserError, match=r"has operators of ai\.onnx\.ml only; nothing but ONNX's"):
        adopt(model_of(other, '"ai.onnx.ml" : 3'))


@pytest.mark.parametrize(
    ("graph", "line"),
    [
        ("g (seq(float[2]) x) => (float[2] y) { i = Constant <value_int = 0> () "
         "y = SequenceAt (x, i) }", "input 'x' is a sequence; only tensors can be tuned"),
        ("g (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct (x) }",
         "output 'y' is a sequence"),
        ("g (optional(float[2]) x) => (float[2] y) { y = OptionalGetElement (x) }",
         "input 'x' is an optional"),
        ("g (string[2] x) => (string[2] y) { y = Identity (x) }", "input 'x' is string; it may be"),
        ("g (bfloat16[2] x) => (bfloat16[2] y) { y = Identity (x) }", "input 'x' is bfloat16; it"),
    ],
)  # fmt: skip
def test_what_is_no_tensor_of_numbers_is_refused_by_name(adopt, graph, line):
    with pytest.raises(UserError, match=rf"net\.onnx: {line}"):
        adopt(model_of(graph))


def test_the_checkers_words_are_one_line_with_the_users_file(adopt):
    with pytest.raises(UserError) as caught:
        adopt(model_of("g (float[2] x) => (float[2] y) { y = NoSuchThing (x) }"))
    text = str(caught.value)
    assert "\n" not in text
    assert text.split(": ", 1)[0].endswith("net.onnx")
    assert "not a valid ONNX model: No Op registered for NoSuchThing" in text


def test_what_onnx_runtime_cannot_load_or_run_is_refused_with_what_to_do(adopt):
    old = (
        "g (float[1,1,4,4] x) => (float[1,1,2,2] y) { y = AveragePool <kernel_shape = [3,3]> (x) }"
    )
    with pytest.raises(UserError, match=r"cannot load it: Could not find an .*a newer opset, or"):
        adopt(model_of(old, '"" : 1'))
    lookup = """
        g (int64[4] at, float[6] x) => (float[4] y) {
            far_away = Constant <value = int64 {400}> ()
            far = Add (at, far_away)
            y = Gather (x, far)
        }"""
    with pytest.raises(UserError, match=r"run it on random input: .*'inputs: \{at: \[0, 8\]"):
        adopt(model_of(lookup))
    with pytest.raises(UserError, match="cannot run it on the values that 'inputs' gives: "):
        adopt(model_of(lookup), given={"at": [0, 2]})


@pytest.mark.parametrize(
    ("inputs", "body", "name"),
    [
        ("int64[1] n, float[6] x", "y = Reshape (x, n)", "n"),
        ("int64 k, float[6] x", "one = Constant <value_ints = [1]> () k1 = Reshape (k, one) "
         "y, at = TopK (x, k1)", "k"),
        ("int64[1] axes, float[6] x", "y = ReduceSum (x, axes)", "axes"),
        ("float[1] scale, float[6] x", "y = Resize (x, , scale)", "scale"),
    ],
)  # fmt: skip
def test_an_input_that_decides_a_shape_is_refused_by_name(adopt, inputs, body, name):
    with pytest.raises(UserError, match=rf"net\.onnx: input '{name}' decides a shape or an axis"):
        adopt(model_of(f"g ({inputs}) => (float[m] y) {{ {body} }}"))


# --- Precision -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("graph", "precision"),
    [
        (RELU.format(4, 4), "float32"),
        ("g (float16[4] x) => (float16[4] y) { y = Relu (x) }", "float16"),
        ("g (float[4] x) => (float[4] y) { h = Cast <to = 10> (x) r = Relu (h) "
         "y = Cast <to = 1> (r) }", "float16"),
        ("g (float[4] x) => (float[4] y) { s = Constant <value = float {0.1}> () "
         "q = QuantizeLinear (x, s) y = DequantizeLinear (q, s) }", "qdq"),
    ],
)  # fmt: skip
def test_the_coarsest_number_format_is_recorded(adopt, graph, precision):
    assert adopt(model_of(graph))[0]["precision"] == precision
