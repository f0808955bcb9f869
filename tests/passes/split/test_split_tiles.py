"""Tiles of every operator with a rule: under the pass contract, of the sizes they should have."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from net import Net, ops

from zkprep.claims.claim import Split
from zkprep.errors import InputError
from zkprep.models.model import Runner, seeded_inputs, serialize
from zkprep.passes.base import PassResult, run_passes
from zkprep.passes.normalise import normalise
from zkprep.passes.split import REGIONS, SplitIntoTiles, Target

Cuts = tuple[tuple[int, tuple[int, ...]], ...]


def tiled(model: ir.Model, cuts: Cuts, tensor: str = "y", *nodes: str) -> PassResult:
    """Split what makes `tensor` under the contract; equal values; a second model of equal bytes."""
    named = nodes or (f"n_{tensor}",)
    one = SplitIntoTiles((Target(Split(tensor=tensor, cuts=cuts), named),))
    result = run_passes(model, (one,))
    feeds = seeded_inputs(model, 3)
    before, after = Runner(model)(feeds), Runner(result.model)(feeds)
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=2e-5, atol=2e-6)
    assert serialize(one(model).model) == serialize(result.model)
    return result


def normal(net: Net, output: str = "y") -> ir.Model:
    return normalise(net.output(output).model()).model


def image(*shape: int) -> Net:
    net = Net()
    net.input("x", *(shape or (1, 6, 9, 8)))
    return net


def unary(op: str) -> Callable[[Net], None]:
    return lambda net: net.node(op, "x", out="y")


def conv(group: int = 1, kernel: int = 3, **attrs: object) -> Callable[[Net], None]:
    return lambda net: net.conv("x", 6, 12, kernel, kernel, out="y", group=group, **attrs)


def pool(op: str, **attrs: object) -> Callable[[Net], None]:
    return lambda net: net.node(op, "x", out="y", **attrs)


def gemm(net: Net, **attrs: object) -> None:
    net.inputs.clear()
    shape = (7, 5) if attrs.get("transA") else (5, 7)
    net.input("x", *shape)
    net.normal("w", *((4, 7) if attrs.get("transB") else (7, 4)))
    net.normal("b", *((5, 1) if attrs.get("column") else (4,)))
    attrs.pop("column", None)
    net.node("Gemm", "x", "w", "b", out="y", **attrs)


def matmul(left: tuple[int, ...], right: tuple[int, ...]) -> Callable[[Net], None]:
    def build(net: Net) -> None:
        net.inputs.clear()
        net.node("MatMul", net.input("x", *left), net.input("z", *right), out="y")

    return build


def broadcast(net: Net) -> None:
    net.normal("k", 6, 1, 8)
    net.node("Add", "x", "k", out="y")


def transposed(net: Net) -> None:
    net.conv_transpose("x", 6, 4, 3, 3, out="y", strides=[2, 2])


def instance(net: Net) -> None:
    net.normal("s", 6), net.normal("t", 6)
    net.node("InstanceNormalization", "x", "s", "t", out="y")


def layer(net: Net) -> None:
    net.normal("s", 8), net.normal("t", 8)
    net.node("LayerNormalization", "x", "s", "t", out="y", axis=-1)


ROWS: Cuts = ((2, (3, 5)),)
CHANNELS: Cuts = ((1, (2, 5)),)
GRID: Cuts = ((1, (3,)), (2, (1, 4)), (3, (5,)))
HALVES: Cuts = ((1, (6,)),)
THIRDS: Cuts = ((1, (4, 8)),)

TILES: dict[str, tuple[Callable[[Net], None], Cuts]] = {
    "relu rows": (unary("Relu"), ROWS),
    "relu grid": (unary("Relu"), GRID),
    "add": (broadcast, GRID),
    "conv channels": (conv(pads=[1, 1, 1, 1]), CHANNELS),
    "conv rows": (conv(pads=[1, 1, 1, 1]), ROWS),
    "conv grid": (conv(pads=[0, 2, 1, 1]), GRID),
    "conv stride": (conv(pads=[1, 1, 1, 1], strides=[2, 3]), ((2, (1, 2)), (3, (1,)))),
    "conv dilated": (conv(pads=[2, 2, 2, 2], dilations=[2, 2]), GRID),
    "conv pointwise stride": (conv(kernel=1, strides=[2, 2]), ((2, (1, 4)),)),
    "groups whole": (conv(group=3, pads=[1, 1, 1, 1]), THIRDS),
    "groups two of three": (conv(group=3), ((1, (8,)),)),
    "within a group": (conv(group=2), ((1, (2, 6, 9)),)),
    "depthwise": (conv(group=6), ((1, (4,)), (2, (3,)))),
    "conv transpose": (transposed, ((1, (1, 3)),)),
    "max pool": (pool("MaxPool", kernel_shape=[3, 2], strides=[2, 2]), ((2, (1,)), (1, (2,)))),
    "average pool": (
        pool("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        ((2, (2, 4)),),
    ),
    "average pool, pads not counted": (
        pool("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 0], strides=[2, 1]),
        ((2, (2,)),),
    ),
    "global average pool": (pool("GlobalAveragePool"), CHANNELS),
    "gemm": (gemm, ((0, (2,)), (1, (1, 3)))),
    "gemm transposed": (lambda net: gemm(net, transA=1, transB=1), ((0, (2,)), (1, (1, 3)))),
    "gemm column": (lambda net: gemm(net, column=1, alpha=0.5, beta=2.0), ((0, (2,)),)),
    "matmul": (matmul((4, 7), (7, 6)), ((0, (1,)), (1, (2, 4)))),
    "matmul batches": (matmul((3, 2, 4, 7), (2, 7, 6)), ((0, (1,)), (1, (1,)), (3, (2,)))),
    "matmul one batch": (matmul((1, 4, 7), (3, 7, 6)), ((0, (1, 2)), (1, (3,)))),
    "softmax": (pool("Softmax", axis=1), ROWS),
    "layer norm": (layer, CHANNELS),
    "instance norm": (instance, CHANNELS),
    "transpose": (pool("Transpose", perm=[0, 2, 3, 1]), ((1, (4,)), (3, (2,)))),
}


@pytest.mark.parametrize(("build", "cuts"), TILES.values(), ids=TILES)
def test_tiles_make_the_whole(build: Callable[[Net], None], cuts: Cuts) -> None:
    net = image()
    build(net)
    result = tiled(normal(net), cuts)
    parts = [one for one in result.applied if one.rule != REGIONS]
    assert len(parts) == np.prod([len(places) + 1 for _, places in cuts])
    assert result.model.graph.outputs[0].name == "y"


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_conv_tiles_of_any_geometry(data: st.DataObject) -> None:
    """Tiles with their halo, for any stride, padding, dilation, kernel and group."""
    small = st.integers(0, 3)
    group = data.draw(st.sampled_from([1, 2, 4]))
    height, width, kernel = (data.draw(st.integers(3, 9)) for _ in range(3))
    kernel = min(kernel, 4)
    strides = [1 + data.draw(small) for _ in range(2)]
    dilations = [1 + data.draw(st.integers(0, 1)) for _ in range(2)]
    pads = [data.draw(st.integers(0, kernel - 1)) for _ in range(4)]
    for size, axis in ((height, 0), (width, 1)):
        assume(size + pads[axis] + pads[axis + 2] >= (kernel - 1) * dilations[axis] + 1)
    net = image(1, 4, height, width)
    geometry = {"strides": strides, "pads": pads, "dilations": dilations}
    net.conv("x", 4, 8, kernel, kernel, out="y", group=group, **geometry)
    # Not normalised: a repair would write dilations into the kernel.
    model = net.output("y").model()
    shape = [int(dim) for dim in next(iter(model.graph)).outputs[0].shape]
    units = {1: 1 if group == 1 else 8 // group, 2: 1, 3: 1}
    axis = data.draw(st.sampled_from([a for a, unit in units.items() if shape[a] > unit]))
    last = shape[axis] // units[axis] - 1
    places = sorted(data.draw(st.sets(st.integers(1, last), min_size=1, max_size=3)))
    cuts = ((axis, tuple(units[axis] * place for place in places)),)
    try:
        tiled(model, cuts)
    except InputError as refusal:
        assert "would read padding alone" in str(refusal)


def test_only_what_a_part_needs_is_gathered() -> None:
    net = image(1, 2, 12, 8)
    net.conv("x", 2, 2, 3, 3, out="y", pads=[1, 1, 1, 1])
    result = tiled(normal(net), ((2, (6,)),))
    convs = [node for node in result.model.graph if node.op_type == "Conv"]
    assert [list(node.inputs[0].shape)[2] for node in convs] == [7, 7]
    assert [node.attributes["pads"].as_ints() for node in convs] == [(1, 1, 0, 1), (0, 1, 1, 1)]


def test_parts_of_parts_are_read_without_the_whole() -> None:
    """The second operator's tiles are the first one's: nothing is joined, nothing gathered."""
    net = image()
    net.conv("x", 6, 4, 1, 1, out="c")
    net.node("Relu", "c", out="y")
    cuts = ((1, (2,)),)
    one, two = (Target(Split(tensor=t, cuts=cuts), (f"n_{t}",)) for t in ("c", "y"))
    result = run_passes(normal(net), (SplitIntoTiles((one, two)),))
    assert ops(result.model) == ["Conv", "Conv", "Relu", "Relu", "Concat"]
    reads = [node.inputs[0].name for node in result.model.graph if node.op_type == "Relu"]
    assert reads == ["c.part0", "c.part1"]


def test_a_region_over_two_parts_is_joined_from_them_alone() -> None:
    net = image(1, 2, 12, 4)
    net.node("Neg", "x", out="c")
    net.conv("c", 2, 2, 3, 3, out="y", pads=[1, 1, 1, 1])
    one = Target(Split(tensor="c", cuts=((2, (3, 6, 9)),)), ("n_c",))
    two = Target(Split(tensor="y", cuts=((2, (2, 6)),)), ("n_y",))
    result = run_passes(normal(net), (SplitIntoTiles((one, two)),))
    joins = {node.name: [v.name for v in node.inputs] for node in result.model.graph}
    assert joins["c[0:1,0:2,1:7,0:4].join"] == [
        "c.part0[0:1,0:2,1:3,0:4]",
        "c.part1",
        "c.part2[0:1,0:2,0:1,0:4]",
    ]
    assert "c.join" not in joins


def test_several_operators_are_split_as_one() -> None:
    """Halos add up along a chain; a tensor that two of them read holds what both need."""
    net = image(1, 3, 10, 10)
    net.conv("x", 3, 4, 3, 3, out="a", pads=[1, 1, 1, 1])
    net.conv("a", 4, 4, 3, 3, out="b", pads=[1, 1, 1, 1])
    net.node("Add", "a", "b", out="y")
    result = tiled(normal(net), ((2, (5,)),), "y", "n_a", "n_b", "n_y")
    first = next(node for node in result.model.graph if node.name == "n_a.part0")
    assert list(first.inputs[0].shape) == [1, 3, 7, 10]
    assert list(first.outputs[0].shape) == [1, 4, 6, 10]


def refusal(build: Callable[[Net], None], cuts: Cuts, net: Net | None = None) -> str:
    net = net or image()
    build(net)
    with pytest.raises(InputError) as why:
        tiled(normal(net), cuts)
    return str(why.value)


def two_groups(net: Net) -> None:
    net.conv("x", 6, 12, 3, 3, out="y", group=2)


def flat(net: Net) -> None:
    net.node("Reshape", "x", net.constant("shape", np.array([1, 6, 72])), out="y")


REFUSED: dict[str, tuple[Callable[[Net], None], Cuts, str]] = {
    "groups torn": (two_groups, ((1, (5,)),), "a part of 'n_y' would hold parts of several groups"),
    "softmax along": (pool("Softmax", axis=2), ROWS, "'n_y' takes all of axis 2 together"),
    "layer norm along": (layer, ((3, (4,)),), "'n_y' takes all from axis 3 on together"),
    "instance norm along": (instance, ROWS, "'n_y' takes all places of a channel together"),
    "conv transpose rows": (transposed, ROWS, "'n_y' can be parted by output channels alone"),
    "no rule": (flat, ((2, (3,)),), "there is no rule for parts of Reshape 'n_y'"),
    "no places": (unary("Relu"), ((2, ()),), "at [] of axis 2"),
    "unsorted": (unary("Relu"), ((2, (5, 3)),), "at [5, 3] of axis 2"),
    "beyond": (unary("Relu"), ((2, (9,)),), "of shape [1, 6, 9, 8] at [9] of axis 2"),
    "no such axis": (unary("Relu"), ((4, (1,)),), "at [1] of axis 4"),
}


@pytest.mark.parametrize(("build", "cuts", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_split_so_is_refused(
    build: Callable[[Net], None], cuts: Cuts, reason: str
) -> None:
    assert reason in refusal(build, cuts)


def test_a_tensor_read_elsewhere_stays_inside() -> None:
    net = image()
    net.node("Relu", "x", out="a")
    net.node("Neg", "a", out="y")
    net.node("Abs", "a", out="z")
    model = normalise(net.output("y", "z").model()).model
    with pytest.raises(InputError, match="'a' is read elsewhere too"):
        tiled(model, ROWS, "y", "n_a", "n_y")


def test_a_name_that_is_taken_is_refused() -> None:
    net = image()
    net.node("Relu", "x", out="y.part0")
    net.node("Neg", "y.part0", out="y")
    with pytest.raises(InputError, match=r"the model has a 'y\.part0' already"):
        tiled(normal(net), ROWS)


def test_nodes_that_are_not_there_are_refused() -> None:
    net = image()
    net.node("Relu", "x", out="y")
    with pytest.raises(InputError, match="no nodes make it"):
        tiled(normal(net), ROWS, "y", "n_y", "n_z")
