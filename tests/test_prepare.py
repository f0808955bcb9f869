"""Models as exporters write them: prepared rightly, or refused by what is really the matter."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from zkprep.errors import InputError, UnsupportedModel
from zkprep.prepare import Prepared, prepare

_HEAD = '<ir_version: 8, opset_import: ["" : {0}, "far.away" : 1]>\n'
_CONV = "net (float[1, 2, 5, 5] x{0}) => (float[1, 3, 3, 3] y) {{ {1} }}"
_SHAPES = {"w": (3, 2, 3, 3), "b": (3,), "g": (3,), "s": (3,), "m": (3,), "v": (3,)}


def prepared(folder: Path, text: str, *weights: str, opset: int = 17) -> Prepared:
    model = onnx.parser.parse_model(_HEAD.format(opset) + text)
    random = np.random.default_rng(0)
    for name in weights:
        values = random.uniform(0.5, 1.5, _SHAPES[name]).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    onnx.save(model, folder / "model.onnx")
    return prepare(folder / "model.onnx", {})


def operators(made: Prepared) -> list[str]:
    return [node.op_type for node in made.fused.graph]


def test_weights_that_are_inputs_with_defaults_are_constants(tmp_path: Path) -> None:
    """What PyTorch's keep_initializers_as_inputs writes: nobody can give them a value here."""
    inputs = "".join(f", float{list(_SHAPES[name])} {name}" for name in _SHAPES)
    nodes = "c = Conv (x, w, b) y = BatchNormalization (c, g, s, m, v)"
    made = prepared(tmp_path, _CONV.format(inputs, nodes), *_SHAPES)
    assert [value.name for value in made.normalised.graph.inputs] == ["x"]
    assert operators(made) == ["Conv"]


def test_a_bias_cast_to_the_type_of_its_input_is_a_constant(tmp_path: Path) -> None:
    """What the exporter of PyTorch 2 writes before it is optimised: zeros like the weights."""
    nodes = (
        "n = Shape <start = 0, end = 1> (w) z = Constant <value = float {0.0}> ()"
        " r = Relu (x) l = CastLike (z, r) e = Expand (l, n) y = Conv (r, w, e)"
    )
    assert operators(prepared(tmp_path, _CONV.format("", nodes), "w")) == ["Relu", "Conv"]


def test_a_model_that_is_random_is_refused_as_such(tmp_path: Path) -> None:
    text = (
        "net (float[2, 8] x) => (float[2, 8] y) <float r = {0.5}, bool t = {1}>"
        " { d = Dropout (x, r, t) z = Constant <value = float {1.0}> () y = Add (d, z) }"
    )
    with pytest.raises(InputError, match="gives other outputs each time .* on the same input"):
        prepared(tmp_path, text)


def test_a_sum_with_noise_is_refused_by_name(tmp_path: Path) -> None:
    text = (
        "net (float[2, 3] x) => (float[2, 3] y)"
        " { z = Constant <value = float {2.0}> () n = RandomNormalLike (x)"
        "   k = Neg (z) m = Mul (n, k) y = Add (x, m) }"
    )
    with pytest.raises(UnsupportedModel, match="RandomNormalLike .*: it is random"):
        prepared(tmp_path, text)


def test_training_is_told_by_the_statistics_before_opset_14(tmp_path: Path) -> None:
    nodes = "c = Conv (x, w, b) y, nm, nv, om, ov = BatchNormalization (c, g, s, m, v)"
    with pytest.raises(UnsupportedModel, match=r"BatchNormalization .*training mode.*eval\(\)"):
        prepared(tmp_path, _CONV.format("", nodes), *_SHAPES, opset=13)


def test_a_foreign_operator_is_named_though_its_shape_is_unknown(tmp_path: Path) -> None:
    text = "net (float[2, 3] x) => (float[2, 3] y) { t = far.away.Thing (x) y = Relu (t) }"
    with pytest.raises(UnsupportedModel, match=r"far\.away\.Thing .*not those of 'far\.away'"):
        prepared(tmp_path, text)


def test_a_missing_size_is_asked_for_whatever_is_rewritten_later(tmp_path: Path) -> None:
    """Gelu is none of EZKL's operators, but written out: it is not what is the matter."""
    text = "net (float[2, length] x) => (float[2, length] y) { y = Gelu (x) }"
    with pytest.raises(InputError, match="axis 1, symbol 'length'"):
        prepared(tmp_path, text, opset=20)


def test_a_mask_of_infinity_is_told_what_can_be_proved(tmp_path: Path) -> None:
    net = "net (float[2, 3] x, bool[1, 3] b) => (float[2, 3] y)"
    masked = "m = Where (b, x, c) y = Softmax <axis = -1> (m)"
    infinite = "z = Constant <value_float = 0.0> () c = Log (z)"
    with pytest.raises(UnsupportedModel, match="number -inf, .* holds it; with -1e9 it can be"):
        prepared(tmp_path, f"{net} {{ {infinite} {masked} }}")
    finite = "c = Constant <value_float = -1e9> ()"
    assert "Where" in operators(prepared(tmp_path, f"{net} {{ {finite} {masked} }}"))
