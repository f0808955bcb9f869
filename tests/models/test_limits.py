"""Models that cannot exist are refused when they are loaded, before anything computes with them."""

from pathlib import Path

import onnx
import pytest

from zkprep.errors import InputError
from zkprep.models.limits import LARGEST
from zkprep.models.model import load

_HEAD = '<ir_version: 8, opset_import: ["" : 17]>\nnet '


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "(float[1, -3] x) => (float[1, 3] y) { y = Relu (x) }",
            r"tensor 'x' has a negative dimension: \[1, -3\]",
        ),
        (
            "(float[1099511627776, 3] x) => (float[1099511627776, 3] y) { y = Relu (x) }",
            "tensor 'x' has 3,298,534,883,328 elements; 67,108,864 is the most",
        ),
        (
            "(float[9, 9] x) => (float[N, M] y) <int64[2] s = {9000, 9000}> { y = Tile (x, s) }",
            "tensor 'y' has 6,561,000,000 elements",
        ),
        (
            "(float[9] x) => (float[N] y) <int64[1] s = {4611686018427387904}> { y = Tile (x, s) }",
            r"\(Tile\) is given the size 4,611,686,018,427,387,904",
        ),
        (
            "(float[1, 2, 4, 4] x, float[2, 1, 2, 2] w) => (float[1, 2, 5, 5] y)"
            " { y = ConvTranspose <group = 0> (x, w) }",
            r"\(ConvTranspose\) has group 0; it is at least 1",
        ),
        (
            "(float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y)"
            " { y = MaxPool <kernel_shape = [1, 1], strides = [1, 0]> (x) }",
            r"\(MaxPool\) has strides 0; it is at least 1",
        ),
        (
            "(float[4] x) => (float[2] y) { y = SplitToSequence (x) }",
            "'y' of the model's interface is no tensor",
        ),
    ],
)
def test_what_cannot_exist_is_refused(tmp_path: Path, text: str, message: str) -> None:
    onnx.save(onnx.parser.parse_model(_HEAD + text), tmp_path / "model.onnx")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "model.onnx")


def test_the_largest_tensor_passes(tmp_path: Path) -> None:
    text = f"(float[{LARGEST}] x) => (float[{LARGEST}] y) {{ y = Relu (x) }}"
    onnx.save(onnx.parser.parse_model(_HEAD + text), tmp_path / "model.onnx")
    assert load(tmp_path / "model.onnx").graph.inputs[0].shape == (LARGEST,)


def test_an_input_without_a_type_is_refused(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(_HEAD + "(float[4] x) => (float[4] y) { y = Relu (x) }")
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UNDEFINED
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(InputError, match="tensor 'x' of the model's interface has no element type"):
        load(tmp_path / "model.onnx")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(_HEAD + "(float[4] x) => (float[4] y) { y = Relu (x) }")
    model.graph.name = "graph"
    data = model.SerializeToString().replace(b"graph", b"gr\xffph")
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(InputError, match="the model cannot be read through: 'utf-8' codec"):
        load(tmp_path / "model.onnx")
