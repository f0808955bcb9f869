"""Made-up integers are rows that the tables of the model have."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from zkprep.models.choices import rows_chosen_among
from zkprep.models.inputs import inputs_like
from zkprep.models.model import Runner, seeded_inputs

_HEAD = '<ir_version: 8, opset_import: ["" : 13]> '
_COLUMNS = (
    "g (int64[4, 2] c) => (float[4, 4] y)"
    " <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, float[2, 2] s = {1, 2, 3, 4},"
    " float[5, 2] t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}>"
    " { a = Slice (c, zero, one, one) i = Squeeze (a, one)"
    "   b = Slice (c, one, two, one) j = Squeeze (b, one)"
    "   p = Gather (s, i) q = Gather (t, j) y = Concat <axis = 1> (p, q) }"
)
_AXIS = (
    "g (int64[3] c) => (float[2, 3] y) <float[2, 1] t = {1, 2}> { y = Gather <axis = 1> (t, c) }"
)
_COUNTED = "g (int64[3] c) => (float[3] y) { y = Cast <to = 1> (c) }"


def model(text: str) -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(_HEAD + text))


@pytest.mark.parametrize(
    ("text", "rows"), [(_COLUMNS, 2), (_AXIS, 1), (_COUNTED, None)], ids=["columns", "axis", "none"]
)
def test_the_smallest_table_bounds_all(text: str, rows: int | None) -> None:
    assert rows_chosen_among(model(text).graph.inputs[0]) == rows


@pytest.mark.parametrize("text", [_COLUMNS, _AXIS], ids=["columns", "axis"])
def test_made_up_inputs_run(text: str) -> None:
    net = model(text)
    run = Runner(net)
    for seed in range(8):
        made = seeded_inputs(net, seed)
        like = inputs_like(made, seed, net)
        assert list(run(made)) == list(run(like)) == [one.name for one in net.graph.outputs]


def test_samples_stay_within_the_smallest_table_and_vary() -> None:
    net = model(_COLUMNS)
    given = {"c": np.array([[0, 4], [1, 3], [1, 4], [0, 0]])}
    drawn = [inputs_like(given, seed, net)["c"] for seed in range(8)]
    assert {int(n) for one in drawn for n in one.ravel()} == {0, 1}


def test_other_integers_take_the_whole_range_of_the_given_ones() -> None:
    drawn = [inputs_like({"c": np.array([2, 5, 9])}, s, model(_COUNTED))["c"] for s in range(20)]
    assert {int(n) for one in drawn for n in one} == set(range(2, 10))
