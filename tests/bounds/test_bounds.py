"""Largest values by EZKL's table: by hand, where the arithmetic is known."""

from collections.abc import Sequence

import onnx
import onnx_ir as ir
import pytest

from zkprep.bounds import Circuit, wrapping
from zkprep.bounds.circuits import largest_output
from zkprep.bounds.constants import largest_constant
from zkprep.bounds.table import Broken, Unread, rows
from zkprep.circuit import CircuitSpec

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
# Constants of at most 3, below what the loader may make of its own: 16 is supposed.
MODEL = HEADER + "m (float[2] x) => (float[2] y) <float[2] w = {3, -2}> { y = Mul(x, w) }"
SPEC = CircuitSpec(decomp_base=10, decomp_legs=3, lookup_range=(-50, 100))
RANGE, CONSTANT = 999.0, 16.0


def model(text: str = MODEL) -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(text))


def table(*nodes: tuple[str, int, Sequence[int], Sequence[int]]) -> str:
    """A table of nodes: operation, scale, what it reads, shape; node 0 is the input of 2 values."""
    lines = ["│ idx │ opkind │ out_scale │ inputs │ out_dims │", "│ 0 │ Input │ 7 │ │ [1, 2] │"]
    for number, (operation, scale, reads, dims) in enumerate(nodes, start=1):
        read = ", ".join(f"({one}, 0)" for one in reads)
        lines.append(f"│ {number} │ {operation} │ {scale} │ [{read}] │ {list(dims)} │")
    return "\n├───┤\n".join(lines)


def bound(*nodes: tuple[str, int, Sequence[int], Sequence[int]]) -> float:
    """The largest value that a table's last node makes, over RANGE if it is not the largest."""
    text = table(*nodes)
    return largest_output(Circuit(model(), SPEC, lambda: text), RANGE)


X = [0]
D = [1, 2]
W = ("CONST (scale=3)", 3, [], [2, 5])
WEIGHT = CONSTANT * 2**3 + 1
"""The largest integer that a constant at scale 3 may be."""


@pytest.mark.parametrize(
    ("nodes", "largest"),
    [
        ([("ADD", 7, [0, 0], D)], 2 * RANGE),
        ([("MULT", 14, [0, 0], D)], RANGE**2),
        ([("POW", 21, X, D)], RANGE**3),
        ([("PROD", 14, X, [1])], RANGE**2),
        ([("SUM (axes=[1])", 7, X, [1, 1])], 2 * RANGE),
        ([W, ("EINSUM mk,kn->mn", 10, [0, 1], [1, 5])], 2 * RANGE * WEIGHT),
        ([("RESHAPE (shape=[2])", 7, X, [2])], RANGE),
        ([("MULT", 14, [0, 0], D), ("LEAKYRELU (slope=0)", 14, [1], D)], RANGE**2),
        ([("SIGMOID(scale=5000)", 7, X, D)], 5001.0),
        ([("HARDSWISH(scale=8)", 7, X, D)], RANGE),
        ([("TAN(scale=8)", 7, X, D)], 2.0**127),
        ([("POW(scale=128, exponent=1.5)", 7, X, D)], 2.0**127),
        ([("LEAKYRELU (slope=0.5)", 10, X, D)], RANGE * (2**3 + 1)),
        ([("REBASED (div=128.0, rebasing_op=DIV (denom=128)) (MULT)", 7, [0, 0], D)], RANGE),
        ([("DIV (denom=2)", 7, X, D)], RANGE),
        ([(f"REBASED (div={2.0**126!r}, rebasing_op=DIV (denom=1)) (ADD)", 7, [0, 0], D)], RANGE),
        ([("DIV (denom=0.05)", 7, X, D)], 100 / 0.05 + 1),
        ([("RSQRT (input_scale=128, output_scale=128, eps=1e-9)", 7, X, D)], RANGE),
        (
            [("SOFTMAX (input_scale=128, output_scale=128, axes=[1], eps=1e-9)", 14, X, D)],
            129 * RANGE,
        ),
        (
            [
                ("IDENTITY (out_scale=Some(9))", 9, X, D),
                ("RESCALED INPUT (ADD)", 9, [0, 1], D),
            ],
            RANGE * 4 + RANGE,
        ),
    ],
    ids=lambda value: value[-1][0] if isinstance(value, list) else "",
)
def test_the_largest_value(
    nodes: list[tuple[str, int, list[int], list[int]]], largest: float
) -> None:
    assert bound(*nodes) == pytest.approx(largest)


def test_a_range_check_bounds_what_it_checks() -> None:
    """A product is at most RANGE behind a ReLU, so that its square is no larger than that."""
    relu = [("MULT", 14, [0, 0], D), ("LEAKYRELU (slope=0)", 14, [1], D), ("MULT", 28, [2, 2], D)]
    bare = [("MULT", 14, [0, 0], D), ("RESHAPE (shape=[2])", 14, [1], D), ("MULT", 28, [2, 2], D)]
    assert bound(*relu) == RANGE**2
    assert bound(*bare) == RANGE**4


def test_convolutions_count_the_kernel() -> None:
    kernel = ("CONST (scale=3)", 3, [], [4, 2, 3, 3])
    bias = ("CONST (scale=10)", 10, [], [4])
    text = "(stride=[1, 1], padding=[(1, 1), (1, 1)], group=1, data_format=NCHW, "
    conv = (f"CONV {text}kernel_format=OIHW)", 10, [0, 1, 2], [1, 4, 6, 6])
    assert bound(kernel, bias, conv) == 18 * RANGE * WEIGHT + CONSTANT * 2**10 + 1


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("LAPLACE", 7, X, D)], "EZKL's LAPLACE"),
        ([("PAST", 7, [9], D)], "EZKL's node 9"),
        ([("EINSUM mkz,kn->mn", 7, [0, 0], D)], "EZKL's EINSUM of this form"),
        ([("POW", 20, X, D)], "EZKL's POW of this form"),
        ([("REBASED (div=0.5, rebasing_op=DIV (denom=0.5)) (MULT)", 7, [0, 0], D)], "by 0.5"),
    ],
)
def test_what_is_not_known_is_said(
    nodes: list[tuple[str, int, list[int], list[int]]], message: str
) -> None:
    with pytest.raises(Unread, match=message):
        bound(*nodes)


@pytest.mark.parametrize("text", ["", "SUBGRAPH AT IDX 3 WITH INPUTS []", "│ 1 │ Input │ 7 │"])
def test_another_table_is_not_read(text: str) -> None:
    with pytest.raises(Unread):
        rows(text)


@pytest.mark.parametrize(
    ("operation", "scale"),
    [
        ("LEAKYRELU (slope=0.5)", 7 + 31),
        (f"SOFTMAX (input_scale={2**63}, output_scale=8, axes=[1], eps=1e-9)", 70),
        (f"FLOOR(scale={2**63}, legs=2)", 7),
        (f"REBASED (div={2.0**127!r}, rebasing_op=DIV (denom={2.0**127!r})) (RESHAPE)", 7),
    ],
)
def test_scales_that_ezkl_cannot_hold_are_refused(operation: str, scale: int) -> None:
    with pytest.raises(Broken, match="EZKL's node 1"):
        bound((operation, scale, X, D))


@pytest.mark.parametrize(("bits", "fits"), [(62, True), (63, False)])
def test_operands_whose_scales_are_too_far_apart(bits: int, fits: bool) -> None:
    """EZKL multiplies the coarser one by 2**bits in 64 bits."""
    nodes = [("IDENTITY", 7 + bits, X, D), ("RESCALED INPUT (ADD)", 7 + bits, [0, 1], D)]
    if fits:
        assert bound(*nodes) == RANGE * 2.0**bits + RANGE
    else:
        with pytest.raises(Broken, match="EZKL's node 2, ADD, reads scales too far apart"):
            bound(*nodes)


def test_values_that_leave_the_field() -> None:
    """RANGE**25 is 2**249, RANGE**26 beyond p / 2; (p - 1) / 2 is 2**252.6."""
    chain = [("MULT", 7, [index, 0], D) for index in range(25)]
    assert bound(*chain[:24]) == pytest.approx(RANGE**25)
    with pytest.raises(Broken, match="EZKL's node 25, MULT, may meet values of 2"):
        bound(*chain)
    with pytest.raises(Broken, match="EZKL's node 1, POW, may meet values of any size"):
        bound(("POW", 7 * 200, X, D))


def links(visibility: str, *tables: str) -> tuple[tuple[int, bool], ...]:
    """Slices of a chain that are told, and whether they are refused."""
    first = CircuitSpec(decomp_base=10, decomp_legs=3, output_visibility=visibility)
    later = CircuitSpec(decomp_base=10, decomp_legs=3, input_visibility=visibility)
    circuits = [
        Circuit(model(), later if index else first, lambda text=text: text, (index - 1,))
        for index, text in enumerate(tables)
    ]
    return tuple((one.slice, one.refused) for one in wrapping(circuits))


def test_a_committed_link_is_as_large_as_its_source_makes_it() -> None:
    """RANGE**13 each; a public link is range-checked between them, a committed one is not."""
    power = table(*[("MULT", 7, [index, 0], D) for index in range(12)])
    assert links("public", power, power) == ()
    assert links("polycommit", power, power) == ((1, True),)
    relu = table(("LEAKYRELU (slope=0)", 7, X, D))
    assert links("polycommit", relu, power) == ()


def test_behind_what_is_not_known_nothing_is() -> None:
    unknown, relu = table(("LAPLACE", 7, X, D)), table(("LEAKYRELU (slope=0)", 7, X, D))
    assert links("public", unknown, relu) == ((0, False),)
    assert links("polycommit", unknown, relu) == ((0, False), (1, False))


@pytest.mark.parametrize(
    ("nodes", "largest"),
    [
        ("y = Mul(x, big)", 300.0),
        ("y = Div(x, small)", 1000.0),
        ("y = Add(x, small)", 16.0),
        ("y = Gemm<alpha = 2.0, beta = 3.0>(x, square, big)", 1800.0),
        ("y = BatchNormalization(x, big, small, small, small)", 300 / (0.001 + 1e-5) ** 0.5),
    ],
)
def test_the_largest_constant(nodes: str, largest: float) -> None:
    text = (
        "m (float[1,2] x) => (float[1,2] y) <float[2] big = {-300, 2}, float[2] small = "
        f"{{0.001, 0.002}}, float[2,2] square = {{1, 1, 1, 1}}> {{ {nodes} }}"
    )
    assert largest_constant(model(HEADER + text)) == pytest.approx(largest, rel=1e-3)


def test_a_conv_is_multiplied_by_what_it_absorbs() -> None:
    kernel = ", ".join(["5"] * 36)
    text = (
        "m (float[1,2,4,4] x) => (float[1,2,4,4] y) <float[2,2,3,3] w = "
        f"{{{kernel}}}, float[1,2,1,1] g = {{20, -30}}, float[1,2,1,1] s = {{7, 7}}>"
        "{ c = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w) h = Mul(c, g) y = Add(h, s) }"
    )
    found = model(HEADER + text)
    for value, shape in (("c", [1, 2, 4, 4]), ("h", [1, 2, 4, 4])):
        node = next(one for one in found.graph if one.outputs[0].name == value)
        node.outputs[0].shape = ir.Shape(shape)
    assert largest_constant(found) >= 5 * 30 + 7
    assert largest_constant(found) <= 5 * 30 * 7 + 37 * 30 * 7


@pytest.mark.parametrize("moved", ["", "e = Identity(c) "])
def test_larger_constants_made_of_constants_are_not_known(moved: str) -> None:
    given = "e" if moved else "c"
    body = f"{moved} d = Exp({given}) y = Add(x, d)"
    text = f"m (float[1] x) => (float[1] y) <float[1] c = {{70.0}}> {{ {body} }}"
    with pytest.raises(Unread, match="Exp of constants"):
        largest_constant(model(HEADER + text))
    assert largest_constant(model(HEADER + text.replace("Exp", "Neg"))) == 70
