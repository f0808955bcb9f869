"""Attacks by a statement's author: real proofs of circuits that compute something else.

Whoever prepares chooses digits, scales and descents; `verify --model` makes the circuits again and
must refuse those in which the model's arithmetic is no longer the model's.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest
from chosen_run import BACKEND, chosen_run

from zkprep.backends.base import read_witness
from zkprep.backends.srs import Srs
from zkprep.circuit import CircuitSpec
from zkprep.claims.felts import MODULUS, decode
from zkprep.errors import StatementError
from zkprep.verifying import audit

pytestmark = pytest.mark.ezkl

replace = msgspec.structs.replace
HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
PRODUCTS = (
    HEADER
    + """products (float[1,4] a, float[1,4] b, float[1,4] c, float[1,4] d) => (float[1,1] y)
    <int64[1] all = {1}>
    { e = Mul(a, b)  f = Mul(c, d)  g = Mul(e, f)  y = ReduceSum(g, all) }"""
)
LARGE = 1 << 77
WIDE = CircuitSpec(
    input_scale=1,
    param_scale=1,
    scale_rebase_multiplier=4,
    decomp_base=1 << 26,
    decomp_legs=3,
    logrows=8,
    checks_boundary=False,
)
SMALL = 5

SKIP = (
    HEADER
    + """skip (float[1,2] x) => (float[1,2] y)
    { a = Mul(x, x)  b = Mul(a, a)  y = Add(b, x) }"""
)


def wrapped() -> dict[str, list[int]]:
    """a, b, c, d of at most LARGE whose products add up to the modulus and SMALL."""
    rest, digits = MODULUS + SMALL, []
    for place in (LARGE**3, LARGE**2, LARGE, 1):
        digit = (2 * rest + place) // (2 * place)
        digits.append(digit)
        rest -= digit * place
    return {
        "a": [LARGE, LARGE, LARGE, 1],
        "b": [LARGE, LARGE, 1, 1],
        "c": [LARGE, 1, 1, 1],
        "d": digits,
    }


@pytest.fixture
def products(tmp_path: Path) -> Path:
    path = tmp_path / "products.onnx"
    onnx.save(onnx.parser.parse_model(PRODUCTS), path)
    return path


def test_products_that_leave_the_field(
    tmp_path: Path, products: Path, kept_srs: Callable[[int], Srs]
) -> None:
    """The proof is valid and says that four huge products add up to 5 / 16; the model says no."""
    values = wrapped()
    total = sum(a * b * c * d for a, b, c, d in zip(*values.values(), strict=True))
    assert total == MODULUS + SMALL
    public, digest = chosen_run(tmp_path, products, WIDE, kept_srs(8), values)
    trusting = audit.verify(public, BACKEND, expect=digest, allow_test_srs=True)
    assert trusting.outputs["y"].values == (SMALL,)
    assert trusting.assumed is None
    with pytest.raises(StatementError, match="values may leave the field: EZKL's node .*, MULT"):
        audit.verify(public, BACKEND, model=products, allow_test_srs=True)


def test_the_same_products_where_they_cannot(
    tmp_path: Path, products: Path, kept_srs: Callable[[int], Srs]
) -> None:
    spec = replace(WIDE, decomp_legs=2)
    values = {name: [1, -2, 3, 4] for name in "abcd"}
    public, _ = chosen_run(tmp_path, products, spec, kept_srs(8), values)
    verdict = audit.verify(public, BACKEND, model=products, allow_test_srs=True)
    assert verdict.outputs["y"].values == (1 + 16 + 81 + 256,)
    assert verdict.assumed == ()


def test_a_skip_that_scales_apart_would_lose(
    tmp_path: Path, kept_srs: Callable[[int], Srs]
) -> None:
    """EZKL brings x to the scale of x**4 by a multiplier of 64 bits, and 2**66 is 0 of them."""
    model = tmp_path / "skip.onnx"
    onnx.save(onnx.parser.parse_model(SKIP), model)
    spec = replace(WIDE, input_scale=22, param_scale=22, scale_rebase_multiplier=4)
    public, _ = chosen_run(tmp_path, model, spec, kept_srs(8), {"x": [1 << 21, 1 << 22]})
    with pytest.raises(StatementError, match="EZKL's node 2, POW, may meet values"):
        audit.verify(public, BACKEND, model=model, allow_test_srs=True)
    made = read_witness(tmp_path / "witness.json").outputs[0]
    assert [decode(value) for value in made] == [1 << 84, 1 << 88]
