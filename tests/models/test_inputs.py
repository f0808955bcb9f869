"""The user's input: every way it can be wrong is one clear line."""

import json
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from zkprep.errors import InputError
from zkprep.models.inputs import read_input, read_samples

MODEL = ir.from_onnx_text(
    """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 3] a, int64[2] b) => (float[1, 3] y) { y = Relu(a)  z = Neg(b) }
    """
)
DYNAMIC = ir.from_onnx_text(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3] a) => (float[N, 3] y) { y = Relu(a) }'
)
RELU = ir.from_onnx_text(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 3] x) => (float[1, 3] y) { y = Relu(x) }'
)


def _write(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_json_takes_flat_and_nested_lists(tmp_path: Path) -> None:
    flat = read_input(_write(tmp_path / "f.json", {"input_data": [[1, 2, 3], [4, 5]]}), MODEL)
    nested = read_input(_write(tmp_path / "n.json", {"input_data": [[[1, 2, 3]], [4, 5]]}), MODEL)
    for feeds in (flat, nested):
        assert feeds["a"].dtype == np.float32
        assert feeds["a"].tolist() == [[1.0, 2.0, 3.0]]
        assert feeds["b"].dtype == np.int64
        assert feeds["b"].tolist() == [4, 5]


def test_npz_is_by_name(tmp_path: Path) -> None:
    path = tmp_path / "input.npz"
    np.savez(path, b=np.array([4, 5]), a=np.array([[1.0, 2.0, 3.0]]))
    assert read_input(path, MODEL)["a"].tolist() == [[1.0, 2.0, 3.0]]


def test_npy_is_for_one_input(tmp_path: Path) -> None:
    path = tmp_path / "input.npy"
    np.save(path, np.zeros((1, 3)))
    with pytest.raises(InputError, match=r"holds 1 tensors; the model's inputs are \['a', 'b'\]"):
        read_input(path, MODEL)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "cannot be read"),
        ("[1, 2]", "is not EZKL input"),
        ({"input": []}, "is not EZKL input"),
        ({"input_data": [[1, 2, 3]]}, "holds 1 tensors"),
        (
            {"input_data": [[1, 2], [4, 5]]},
            r"'a' has shape \[2\] \(2 elements\).*\[1, 3\] \(3 e",
        ),
        ({"input_data": [[1, "x", 3], [4, 5]]}, "not a number"),
        ({"input_data": [[1, [2], 3], [4, 5]]}, "ragged"),
        ('{"input_data": [[1, NaN, 3], [4, 5]]}', "'a' holds NaN or infinity"),
        ({"input_data": [[1, 1e60, 3], [4, 5]]}, "'a' holds values that are no float32"),
        ({"input_data": [[1, 2, 3], [4.5, 5]]}, "'b' holds values that are no int64"),
    ],
)
def test_json_refused(tmp_path: Path, document: object, message: str) -> None:
    path = _write(tmp_path / "input.json", document)
    with pytest.raises(InputError, match=message) as caught:
        read_input(path, MODEL)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["input.npz", "input.npy"])
def test_damaged_archives_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not numpy")
    with pytest.raises(InputError, match="cannot be read"):
        read_input(tmp_path / name, MODEL)


def test_wrong_names_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "input.npz", x=np.zeros(1))
    with pytest.raises(InputError, match=r"holds \['x'\]; the model's inputs are \['a', 'b'\]"):
        read_input(tmp_path / "input.npz", MODEL)


def test_missing_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_input(tmp_path / "none.json", MODEL)


def test_dynamic_shape_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "input.json", {"input_data": [[1, 2, 3]]})
    with pytest.raises(InputError, match="'a' has shape .*not fixed") as caught:
        read_input(path, DYNAMIC)
    assert "--dim" in caught.value.hint


def test_samples_in_every_format(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 1, 3)
    np.save(tmp_path / "s.npy", values)
    np.savez(tmp_path / "s.npz", x=values)
    documents = [{"input_data": [one.ravel().tolist()]} for one in values]
    (tmp_path / "s.json").write_text(json.dumps(documents))
    for name in ("s.npy", "s.npz", "s.json"):
        found = read_samples(tmp_path / name, RELU)
        assert [feeds["x"].tolist() for feeds in found] == values.tolist(), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"input_data": [[1, 2, 3]]}', "are not a list of EZKL inputs"),
        ("[]", "hold no input"),
        ('[{"input_data": [[1, 2]]}]', "'x' has shape"),
        ("[3]", "is not EZKL input"),
        ("{", "cannot be read"),
    ],
)
def test_samples_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_samples(path, RELU)
    with pytest.raises(InputError, match="are not a file"):
        read_samples(tmp_path / "none.json", RELU)
