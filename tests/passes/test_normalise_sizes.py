"""Sizes that constants decide are known before anything is allocated or run."""

import resource
import time
from pathlib import Path

import onnx
import pytest

from zkprep import fuse_file
from zkprep.errors import InputError
from zkprep.prepare import prepare

_HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
_ONE = "one = Constant <value_ints = [1, 1]> ()"
LARGE = {
    "ConstantOfShape": f"n = Constant <value_ints = [1000000, 1000000]> () {_ONE} s = Div (n, one)"
    " c = ConstantOfShape (s) r = ReduceSum <keepdims = 0> (c) y = Add (x, r)",
    "Expand": "n = Constant <value_ints = [30000000, 1]> ()"
    f" {_ONE} s = Div (n, one) e = Expand (x, s) r = ReduceSum <keepdims = 0> (e) y = Add (x, r)",
    "Tile": f"n = Constant <value_ints = [100000, 100000]> () {_ONE} s = Div (n, one)"
    " w = Tile (x, s) r = ReduceSum <keepdims = 0> (w) y = Add (x, r)",
    "Range": "z = Constant <value_int = 0> () n = Constant <value_int = 10000000000> ()"
    " u = Constant <value_int = 1> () m = Div (n, u) q = Range (z, m, u) f = Cast <to = 1> (q)"
    " r = ReduceSum <keepdims = 0> (f) y = Add (x, r)",
    "Pad": "n = Constant <value_ints = [100000, 0, 100000, 0]> ()"
    " one = Constant <value_ints = [1, 1, 1, 1]> () s = Div (n, one) p = Pad (x, s)"
    " w = Tile (p, t) r = ReduceSum <keepdims = 0> (w) y = Add (x, r)",
    "product": "n = Constant <value_ints = [20000, 1]> () a = ConstantOfShape (n)"
    " m = Constant <value_ints = [1, 20000]> () b = ConstantOfShape (m) p = MatMul (a, b)"
    " r = ReduceSum <keepdims = 0> (p) y = Add (x, r)",
}


def written(folder: Path, body: str) -> Path:
    model = onnx.parser.parse_model(
        _HEAD + f"g (float[1, 4] x) => (float[1, 4] y) <int64[2] t = {{1, 1000}}> {{ {body} }}"
    )
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize("operator", LARGE)
def test_a_huge_tensor_is_refused_before_it_is_made(tmp_path: Path, operator: str) -> None:
    path = written(tmp_path, LARGE[operator])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for verb in (lambda: prepare(path, {}), lambda: fuse_file(path, tmp_path / "out.onnx")):
        with pytest.raises(InputError, match=r"has [\d,]+ elements; 67,108,864 is the most"):
            verb()
    assert not (tmp_path / "out.onnx").exists()
    assert time.process_time() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_tensor_that_fits_is_folded(tmp_path: Path) -> None:
    body = LARGE["ConstantOfShape"].replace("1000000, 1000000", "10, 10")
    made = prepare(written(tmp_path, body), {}).model
    assert [node.op_type for node in made.graph] == ["Add"]
