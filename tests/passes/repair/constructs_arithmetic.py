"""Elementwise arithmetic, comparisons, normalisations, number formats and whole models."""

from collections.abc import Mapping

import numpy as np
from construct import IMAGE, PAIR, ROW, Construct, broken, normal, whole

from zkprep.passes.repair.biases import SeparateBiases
from zkprep.passes.repair.casts import TruncateCasts
from zkprep.passes.repair.einsums import EinsumsInPairs
from zkprep.passes.repair.equalities import ChooseEquals
from zkprep.passes.repair.extremes import ChooseMaxima
from zkprep.passes.repair.functions import ExpandFunctions
from zkprep.passes.repair.group_norms import GroupsAsInstances
from zkprep.passes.repair.norms import PlainNorms
from zkprep.passes.repair.opsets import RaiseOpset
from zkprep.passes.repair.powers import PlainPowers
from zkprep.passes.repair.quantised import DequantiseWeights
from zkprep.passes.repair.running_sums import MultiplyRunningSums
from zkprep.passes.repair.twins import CopyTwinOutputs

LIFTED = "a = Abs(x) b = Add(a, half)"
FLOORED = "a = Floor(x)"
FEATURES = "(float[1,4,3,3] x) => (float[1,4,3,3] y)"
PIXELS = "(float[1,4,3,3] x) => (float y)"
BATCH = "(float[2,3,4,4] x) => (float y)"
GELU = "Constant Cast Constant Cast Constant Cast Sqrt Div Erf Sum Mul Mul"
MISH = "Softplus Tanh Mul"
BYTES = np.random.default_rng(5).integers(-100, 100, (6, 3)).astype(np.int8)

CONSTRUCTS: Mapping[str, Construct] = {
    "Pow 0": broken(PlainPowers(), ROW, "y = Pow(x, e)", "Identity", e=0.0),
    "Pow -1": broken(
        PlainPowers(), ROW, f"{LIFTED} y = Pow(b, e)", "Abs Add Reciprocal", e=-1.0, half=0.5
    ),
    "Pow -2": broken(
        PlainPowers(), ROW, f"{LIFTED} y = Pow(b, e)", "Abs Add Pow Reciprocal", e=-2.0, half=0.5
    ),
    "Pow, several exponents": broken(
        PlainPowers(),
        ROW,
        "y = Pow(x, e)",
        "Pow Pow Where Pow Where",
        e=[1.0, 2.0, 3.0, 2.0, 2.0, 1.0],
    ),
    "Pow, several bases": broken(
        PlainPowers(), ROW, "y = Pow(e, x)", "Mul Exp", e=[1.0, 2.0, 3.0, 0.5, 2.0, 1.5]
    ),
    "Max with a tensor": broken(
        ChooseMaxima(), IMAGE, "y = Max(c, x)", "Greater Where", c=normal(2, 1, 1)
    ),
    "Max of three": broken(
        ChooseMaxima(), PAIR, "y = Max(x, c, z)", "Max Greater Where", c=normal(6)
    ),
    "Equal cast": broken(
        ChooseEquals(),
        ROW,
        f"{FLOORED} e = Equal(a, zero) y = Cast<to=1>(e)",
        "Floor Equal Where",
        zero=0.0,
    ),
    "Equal as an output": broken(
        ChooseEquals(),
        "(float[1,6] x) => (bool y)",
        f"{FLOORED} y = Equal(a, zero)",
        "Floor Equal Where Greater",
        zero=0.0,
    ),
    "Cast to int64": broken(
        TruncateCasts(),
        ROW,
        "m = Mul(x, five) i = Cast<to=7>(m) y = Cast<to=1>(i)",
        "Mul Sign Abs Floor Cast Cast Mul Cast",
        five=5.0,
    ),
    "Cast to bool": broken(
        TruncateCasts(),
        ROW,
        "r = Relu(x) i = Cast<to=9>(r) y = Cast<to=1>(i)",
        "Relu Equal Not Cast",
    ),
    "CumSum, exclusive": broken(
        MultiplyRunningSums(), ROW, "y = CumSum<exclusive=1>(x, a)", "MatMul", a=np.array(1)
    ),
    "CumSum, reverse": broken(
        MultiplyRunningSums(),
        "(float[3,4] x) => (float y)",
        "y = CumSum<reverse=1>(x, a)",
        "Transpose MatMul Transpose",
        a=np.array(0),
    ),
    "Gelu": broken(
        ExpandFunctions(),
        ROW,
        "y = Gelu(x)",
        GELU,
        opset=20,
    ),
    "Mish": broken(ExpandFunctions(), ROW, "y = Mish(x)", MISH, opset=18),
    "Celu with an alpha": broken(
        ExpandFunctions(), ROW, "y = Celu<alpha=0.5>(x)", "Constant Div Elu Mul"
    ),
    "GroupNormalization": broken(
        GroupsAsInstances(),
        FEATURES,
        "y = GroupNormalization<num_groups=2>(x, s, b)",
        "Reshape InstanceNormalization Reshape Mul Add Shape Reshape",
        opset=21,
        s=normal(4),
        b=normal(4),
    ),
    "InstanceNormalization of a batch": broken(
        PlainNorms(),
        BATCH,
        "y = InstanceNormalization(x, s, b)",
        "Reshape InstanceNormalization Reshape",
        s=normal(3),
        b=normal(3),
    ),
    "LpNormalization": broken(
        PlainNorms(), ROW, "y = LpNormalization(x)", "ReduceL2 Max Div", opset=18
    ),
    "LpNormalization, p 1": broken(
        PlainNorms(), ROW, "y = LpNormalization<p=1, axis=1>(x)", "ReduceL1 Max Div"
    ),
    "GlobalLpPool": broken(PlainNorms(), PIXELS, "y = GlobalLpPool(x)", "ReduceL2"),
    "LRN": broken(
        PlainNorms(),
        PIXELS,
        "y = LRN<size=3, alpha=0.5, beta=0.7, bias=2.0>(x)",
        "Mul Conv Pow Mul",
    ),
    "weights dequantised per column": broken(
        DequantiseWeights(),
        ROW,
        "w = DequantizeLinear<axis=1>(q, s, o) y = MatMul(x, w)",
        "Identity MatMul",
        q=BYTES,
        s=[0.02, 0.1, 0.3],
        o=np.array([3, 0, 1], np.int8),
    ),
    "Softmax of operator set 11": broken(
        RaiseOpset(),
        "(float[1,2,3] x) => (float y)",
        "y = Softmax<axis=1>(x)",
        "Reshape Softmax Reshape",
        opset=11,
    ),
    "Upsample": broken(
        RaiseOpset(),
        "(float[1,2,3,3] x) => (float y)",
        "y = Upsample(x, s)",
        "Resize",
        opset=9,
        s=[1.0, 1.0, 2.0, 2.0],
    ),
    "a constant that a Conv takes for its bias": broken(
        SeparateBiases(),
        "(float[2] x, float[1,2,5,5] z) => (float y)",
        "a = Mul(x, b) k = Reshape(a, s) m = Mul(z, k) y = Conv<kernel_shape=[1,3]>(m, w, c)",
        "Mul Reshape Mul Conv",
        s=whole(1, 2, 1, 1),
        w=normal(3, 2, 1, 3)[:2],
        b=[0.7, -1.9],
        c=[0.7, -1.9],
    ),
    "an Einsum of three that share a summed axis": broken(
        EinsumsInPairs(),
        "(float[3,4] x, float[3] z) => (float y)",
        'y = Einsum<equation="oc,cp,c->op">(w, x, z)',
        "Einsum Einsum",
        w=normal(2, 3),
    ),
    "an Einsum of four": broken(
        EinsumsInPairs(),
        "(float[3,4] x, float[3] z) => (float y)",
        'y = Einsum<equation="oc, cp, c, cp -> po">(w, x, z, x)',
        "Einsum Einsum Einsum",
        w=normal(2, 3),
    ),
    "one output twice": broken(
        CopyTwinOutputs(),
        "(float[1,6] x) => (float y, float z)",
        "y = Relu(x) z = Identity(y)",
        "Relu Slice",
    ),
}
