"""Every repair keeps the function, says what it did, does nothing twice and keeps off the rest."""

import numpy as np
import onnx_ir as ir
import pytest
from construct import IMAGE, PAIR, ROW, Construct, normal, parsed, whole
from constructs_arithmetic import CONSTRUCTS as ARITHMETIC
from constructs_exports import CONSTRUCTS as EXPORTS
from constructs_windows import CONSTRUCTS as WINDOWS

from zkprep.models.model import run, seeded_inputs, serialize
from zkprep.passes.base import Pass, run_passes
from zkprep.passes.normalise import normalise
from zkprep.passes.oracle import compare
from zkprep.passes.repair import definitions, repairs

CONSTRUCTS = {**WINDOWS, **ARITHMETIC, **EXPORTS}
SINGLE_PRECISION = 1e-5


def names(model: ir.Model) -> list[str]:
    return [str(node.name) for node in model.graph]


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=CONSTRUCTS)
def test_the_construct_is_rewritten_exactly(construct: Construct) -> None:
    model = construct.model()
    result = run_passes(model, [construct.repair])
    assert [node.op_type for node in result.model.graph] == construct.after.split()
    for seed in range(3):
        feeds = seeded_inputs(model, seed)
        assert compare(run(model, feeds), run(result.model, feeds), SINGLE_PRECISION) == ""
    for node in result.model.graph:
        for value in node.outputs:
            assert value.shape is not None, value
            assert value.dtype is not None, value


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=CONSTRUCTS)
def test_its_sites_name_every_node(construct: Construct) -> None:
    model = construct.model()
    result = run_passes(model, [construct.repair])
    old, new = names(model), names(result.model)
    assert all(new)
    assert len(set(new)) == len(new)
    created = [name for site in result.applied for name in site.created]
    assert sorted(created) == sorted(set(new) - set(old))
    assert {n for site in result.applied for n in site.nodes} <= set(old)
    tensors = [value.name for node in result.model.graph for value in node.outputs]
    assert len(set(tensors)) == len(tensors)


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=CONSTRUCTS)
def test_a_second_run_changes_nothing(construct: Construct) -> None:
    once = run_passes(construct.model(), [construct.repair]).model
    again = construct.repair(once)
    assert not again.applied
    assert serialize(again.model) == serialize(once)


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=CONSTRUCTS)
def test_normalisation_repairs_once(construct: Construct) -> None:
    normalised = normalise(construct.model()).model
    again = normalise(normalised)
    assert not again.applied
    assert serialize(again.model) == serialize(normalised)


def test_every_repair_has_a_construct() -> None:
    have = {type(one.repair) for one in CONSTRUCTS.values()}
    assert {type(one) for one in (*definitions(), *repairs())} == have


POOL = "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]"
NEAREST = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'

FINE = {
    "Conv": parsed(IMAGE, "y = Conv(x, w)", w=normal(3, 2, 3, 3)),
    "ConvTranspose": parsed(IMAGE, "y = ConvTranspose(x, w)", w=normal(2, 3, 3, 3)),
    "Pow 3": parsed(ROW, "y = Pow(x, e)", e=3.0),
    "Pow, one exponent for all": parsed(ROW, "y = Pow(x, e)", e=[2.0] * 6),
    "Pow 0.5": parsed(ROW, "a = Abs(x) y = Pow(a, e)", e=0.5),
    "Pow, one base": parsed(ROW, "y = Pow(e, x)", e=2.0),
    "MaxPool": parsed(IMAGE, "y = MaxPool<kernel_shape=[2,2]>(x)"),
    "MaxPool, padded, of a ReLU": parsed(IMAGE, f"a = Relu(x) y = MaxPool<{POOL}>(a)"),
    "MaxPool, padded, of a Concat of ReLUs": parsed(
        IMAGE, f"a = Relu(x) b = Sigmoid(x) c = Concat<axis=1>(a, b) y = MaxPool<{POOL}>(c)"
    ),
    "MaxPool, ceil_mode that adds nothing": parsed(
        IMAGE, "y = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)"
    ),
    "AveragePool, padding counted": parsed(
        IMAGE, f"y = AveragePool<{POOL}, count_include_pad=1>(x)"
    ),
    "Pad, zeros": parsed(IMAGE, "y = Pad(x, p, c)", p=whole(0, 0, 1, 2, 0, 0, 2, 1), c=0.0),
    "Resize, doubled": parsed(IMAGE, f"y = Resize<{NEAREST}>(x, , s)", s=[1.0, 1.0, 2.0, 2.0]),
    "Max with a number": parsed(ROW, "y = Max(x, c)", c=0.3),
    "Max of inputs": parsed(PAIR, "y = Max(x, z)"),
    "Min with a tensor": parsed(ROW, "y = Min(x, c)", c=normal(6)),
    "Equal as a condition": parsed(PAIR, "e = Equal(x, z) y = Where(e, x, z)"),
    "Greater cast": parsed(PAIR, "e = Greater(x, z) y = Cast<to=1>(e)"),
    "Cast of a Floor": parsed(ROW, "f = Floor(x) i = Cast<to=7>(f) y = Cast<to=1>(i)"),
    "one number less a Conv": parsed(
        IMAGE, "h = Conv(x, w) y = Sub(c, h)", w=normal(3, 2, 3, 3), c=1.5
    ),
    "Conv less a constant": parsed(
        IMAGE, "h = Conv(x, w) y = Sub(h, c)", w=normal(3, 2, 3, 3), c=normal(1, 3, 1, 1)
    ),
    "constant less a ReLU": parsed(
        IMAGE, "h = Conv(x, w) r = Relu(h) y = Sub(c, r)", w=normal(3, 2, 3, 3), c=normal(3, 1, 1)
    ),
    "Einsum of three": parsed(PAIR, 'y = Einsum<equation="ai,aj,i->ij">(x, z, c)', c=normal(6)),
    "Celu": parsed(ROW, "y = Celu(x)"),
    "InstanceNormalization": parsed(
        "(float[1,4,3,3] x) => (float y)",
        "y = InstanceNormalization(x, s, b)",
        s=normal(4),
        b=normal(4),
    ),
    "Gather": parsed(ROW, "y = Gather<axis=1>(x, i)", i=whole(0, 2)),
    "Expand": parsed(ROW, "y = Expand(x, s)", s=whole(3, 6)),
    "Reshape with -1": parsed(IMAGE, "y = Reshape(x, s)", s=whole(1, -1)),
    "Softmax": parsed(ROW, "y = Softmax(x)"),
    "Softmax of what a condition makes low": parsed(
        "(float[2,3] x, bool[1,3] b) => (float y)",
        "m = Where(b, z, c) s = Add(x, m) y = Softmax(s)",
        z=0.0,
        c=-1e4,
    ),
    "choice of a Softmax": parsed(
        "(float[2,3] x, bool[1,3] b) => (float y)",
        "s = Softmax(x) y = Where(b, z, s)",
        z=0.0,
    ),
    "Softmax with a bias": parsed(ROW, "b = Add(x, c) y = Softmax(b)", c=normal(6) - 100),
    "Clip, bounded": parsed(ROW, "y = Clip(x, l, h)", l=-1e30, h=1e30),
    "casts at the interface": parsed(
        "(float16[1,6] x) => (float16[1,6] y)", "a = Cast<to=1>(x) b = Relu(a) y = Cast<to=10>(b)"
    ),
    "a copy of the input as output": parsed(ROW, "y = Identity(x)"),
}


@pytest.mark.parametrize("model", FINE.values(), ids=FINE)
def test_what_ezkl_computes_rightly_is_let_be(model: ir.Model) -> None:
    for one in (*definitions(), *repairs()):
        result = one(model)
        assert serialize(result.model) == serialize(model), one.name
        assert not result.sites, one.name


IMAGES = "(float[1,2,5,5] x, float[3,2,2,2] w) => (float y)"
POOLED = "(float[1,2,5,5] x) => (float y, int64 i)"
DENSE = "(float[1,6] x, float[6,3] s) => (float y)"
RECURRENT, TWO = "(float[2,1,3] x) => (float y)", "hidden_size=2"
CELL = {"w": normal(1, 2, 3), "r": normal(1, 2, 2)}
PIECES = {"s": normal(2), "b": normal(2)}

REFUSED = {
    "its kernel is not constant": parsed(IMAGES, "y = Conv<dilations=[2,2]>(x, w)"),
    "its weights are not constant": parsed(
        "(float[1,2,5,5] x, float[2,1,2,2] w) => (float y)", "y = ConvTranspose<group=2>(x, w)"
    ),
    "its exponent 'z' is not constant": parsed(PAIR, "y = Pow(x, z)"),
    "a negative base has no real power in general": parsed(
        ROW, "y = Pow(e, x)", e=-(normal(6) ** 2)
    ),
    "its output 'i' is read": parsed(POOLED, f"y, i = MaxPool<{POOL}>(x)"),
    "its pads are not constant": parsed(
        "(float[1,6] x, int64[4] p) => (float[1,8] y)", "y = Pad(x, p)"
    ),
    "the value it pads with is not constant": parsed(
        "(float[1,6] x, float c) => (float y)", "y = Pad(x, p, c)", p=whole(0, 1, 0, 1)
    ),
    "tf_crop_and_resize reads outside its input": parsed(
        IMAGE,
        'y = Resize<coordinate_transformation_mode="tf_crop_and_resize">(x, r, s)',
        r=[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        s=[1.0, 1.0, 2.0, 2.0],
    ),
    "it interpolates along an axis before the last two": parsed(
        "(float[1,1,2,2,2] x) => (float y)",
        'y = Resize<mode="linear">(x, , s)',
        s=[1.0, 1.0, 2.0, 2.0, 2.0],
    ),
    "several of its updates go to one place": parsed(
        ROW, "y = ScatterElements<axis=1>(x, i, u)", i=whole([1, 1]), u=normal(1, 2)
    ),
    "its updates are combined by 'mul'": parsed(
        ROW, 'y = ScatterElements<axis=1, reduction="mul">(x, i, u)', i=whole([1]), u=normal(1, 1)
    ),
    "its sequence is put together otherwise": parsed(
        "(seq(float[2]) x) => (float[2] y)", "y = SequenceAt(x, i)", i=np.array(0)
    ),
    "its position is not constant": parsed(
        "(float[2] x, int64 i) => (float[2] y)", "s = SequenceConstruct(x, x) y = SequenceAt(s, i)"
    ),
    "its position counts from the end": parsed(
        ROW, "s = SplitToSequence<axis=1>(x) y = SequenceAt(s, i)", i=np.array(-1)
    ),
    "its sequence is split off, not put together": parsed(
        ROW, "s = SplitToSequence<axis=1>(x) y = ConcatFromSequence<axis=1>(s)"
    ),
    "its places are not constant": parsed(
        "(float[1,6] x, int64[1,1] i) => (float y)",
        "y = ScatterElements<axis=1>(x, i, u)",
        u=normal(1, 1),
    ),
    "what a negative number is as an unsigned one depends on the runtime": parsed(
        "(float[1,6] x) => (uint8 y)", "y = Cast<to=2>(x)"
    ),
    "it dequantises what the model computes": parsed(
        ROW,
        "q = QuantizeLinear(x, s, o) y = DequantizeLinear(q, s, o)",
        s=0.02,
        o=np.array(3, np.int8),
    ),
    "its scale or bias is not constant": parsed(
        "(float[2,2,3,3] x, float[2] s) => (float y)",
        "y = InstanceNormalization(x, s, b)",
        b=normal(2),
    ),
    "its p is 3; 1 and 2 are sums EZKL has": parsed(IMAGE, "y = GlobalLpPool<p=3>(x)"),
    "its size is 2; even ones mean different things to different runtimes": parsed(
        "(float[1,4,3,3] x) => (float y)", "y = LRN<size=2>(x)"
    ),
    "the places it gathers are not constant": parsed(
        "(float[2,3] x, int64[1,2] i) => (float y)", "y = GatherND(x, i)"
    ),
    "it masks a whole row": parsed(
        ROW, "m = Add(x, c) y = Softmax(m)", c=np.full(6, -np.inf, np.float32)
    ),
    "a row that it leaves out whole is no number": parsed(
        "(float[2,3] x, bool[1,3] b) => (float y)",
        "m = Where(b, x, c) y = Softmax(m)",
        c=-np.inf,
    ),
    "its mask is larger than what it masks": parsed(
        ROW, "m = Add(x, c) y = Softmax(m)", c=np.float32([[0] * 6, [-np.inf] + [0] * 5])
    ),
    "its weights are not all constant": parsed(
        "(float[2,1,3] x, float[1,2,3] w) => (float y)",
        "y = RNN<hidden_size=2>(x, w, r)",
        r=normal(1, 2, 2),
    ),
    "its sequence lengths are not all those of its input": parsed(
        RECURRENT, f"y = RNN<{TWO}>(x, w, r, , n)", n=np.array([1], np.int32), **CELL
    ),
    "clip means different things to different runtimes": parsed(
        RECURRENT, f"y = RNN<{TWO}, clip=0.5>(x, w, r)", **CELL
    ),
    "its activation is Affine": parsed(
        RECURRENT, f'y = RNN<{TWO}, activations=["Affine"]>(x, w, r)', **CELL
    ),
    "operators of opset 6 broadcast by attribute": parsed(
        ROW, "y = Add<broadcast=1>(x, c)", opset=6, c=normal(6)
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_rewritten_is_left_with_the_reason(reason: str) -> None:
    model = REFUSED[reason]
    left: list[tuple[Pass, str]] = []
    for one in (*definitions(), *repairs()):
        result = one(model)
        assert serialize(result.model) == serialize(model), one.name
        left += [(one, site.reason) for site in result.sites]
    assert [found for _, found in left] == [reason]
