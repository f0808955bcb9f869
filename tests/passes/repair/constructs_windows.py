"""Convolutions, pools, padding, resampling and movement of elements."""

from collections.abc import Mapping

import numpy as np
from construct import IMAGE, ROW, Construct, broken, normal, whole

from zkprep.passes.repair.average_pools import PlainAveragePools
from zkprep.passes.repair.classical import PlainClassicalModels
from zkprep.passes.repair.differences import TurnDifferences
from zkprep.passes.repair.dilations import StuffDilations
from zkprep.passes.repair.expansions import ExpandInPlace
from zkprep.passes.repair.groups import SplitTransposedGroups
from zkprep.passes.repair.indices import CountFromStart
from zkprep.passes.repair.maximum_pools import PlainMaxPools
from zkprep.passes.repair.pads import PlainPads
from zkprep.passes.repair.resizes import PlainResizes
from zkprep.passes.repair.scatters import GatherScatters
from zkprep.passes.repair.sequences import OpenSequences
from zkprep.passes.repair.tiles import GatherTiles
from zkprep.passes.repair.triangles import MaskTriangles

POOL = "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]"
SMALL = "(float[1,2,4,4] x) => (float y)"
SQUARE = "(float[4,4] x) => (float y)"
FLOOR = 'coordinate_transformation_mode="asymmetric", nearest_mode="floor"'
CONV = {"w": 0.1 * normal(3, 2, 3, 3), "b": normal(3) + 6, "c": normal(1, 3, 1, 1)}

CONSTRUCTS: Mapping[str, Construct] = {
    "Conv, dilated": broken(
        StuffDilations(),
        IMAGE,
        "y = Conv<dilations=[2,1], pads=[1,0,1,0]>(x, w)",
        "Conv",
        w=normal(3, 2, 2, 3),
    ),
    "ConvTranspose, dilated": broken(
        StuffDilations(),
        IMAGE,
        "y = ConvTranspose<dilations=[2,2]>(x, w, b)",
        "ConvTranspose",
        w=normal(2, 3, 2, 2),
        b=normal(3),
    ),
    "ConvTranspose, grouped": broken(
        SplitTransposedGroups(),
        "(float[1,4,3,3] x) => (float y)",
        "y = ConvTranspose<group=2, strides=[2,2]>(x, w, b)",
        "Gather ConvTranspose Gather ConvTranspose Concat",
        w=normal(4, 2, 3, 3),
        b=normal(4),
    ),
    "constant less a Conv": broken(
        TurnDifferences(), IMAGE, "h = Conv(x, w, b) y = Sub(c, h)", "Conv Neg Add", **CONV
    ),
    "constant less a scaled Conv": broken(
        TurnDifferences(),
        IMAGE,
        "h = Conv(x, w, b) m = Mul(h, k) y = Sub(c, m)",
        "Conv Mul Neg Add",
        k=normal(1, 3, 1, 1),
        **CONV,
    ),
    "constant over a Conv": broken(
        TurnDifferences(), IMAGE, "h = Conv(x, w, b) y = Div(c, h)", "Conv Reciprocal Mul", **CONV
    ),
    "MaxPool, padded": broken(
        PlainMaxPools(),
        IMAGE,
        f"a = Sub(x, c) y = MaxPool<{POOL}>(a)",
        "Sub Gather Gather MaxPool",
        c=4.0,
    ),
    "MaxPool, dilated and padded": broken(
        PlainMaxPools(),
        IMAGE,
        "a = Sub(x, c) y = MaxPool<kernel_shape=[2,3], dilations=[3,2], pads=[1,2,1,0]>(a)",
        "Sub Gather Gather MaxPool",
        c=4.0,
    ),
    "MaxPool, ceil_mode": broken(
        PlainMaxPools(),
        IMAGE,
        "y = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)",
        "Gather Gather MaxPool",
    ),
    "AveragePool, padded": broken(
        PlainAveragePools(), IMAGE, f"y = AveragePool<{POOL}>(x)", "Pad AveragePool Mul"
    ),
    "AveragePool, ceil_mode": broken(
        PlainAveragePools(),
        IMAGE,
        "y = AveragePool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)",
        "Pad AveragePool Mul",
    ),
    "AveragePool, ceil_mode, padding counted": broken(
        PlainAveragePools(),
        "(float[1,2,6,6] x) => (float y)",
        f"y = AveragePool<{POOL}, ceil_mode=1, count_include_pad=1>(x)",
        "Pad AveragePool Mul",
        opset=19,
    ),
    "AveragePool, dilated": broken(
        PlainAveragePools(),
        IMAGE,
        "y = AveragePool<kernel_shape=[2,2], dilations=[2,3], pads=[1,1,0,0]>(x)",
        "Pad Gather Gather AveragePool Mul",
        opset=19,
    ),
    "Pad, reflected": broken(
        PlainPads(),
        IMAGE,
        'y = Pad<mode="reflect">(x, p)',
        "Gather Gather",
        p=whole(0, 0, 1, 2, 0, 0, 2, 1),
    ),
    "Pad, edge": broken(
        PlainPads(), IMAGE, 'y = Pad<mode="edge">(x, p)', "Gather", p=whole(0, 0, 0, 2, 0, 0, 0, 1)
    ),
    "Pad, wrapped": broken(
        PlainPads(),
        IMAGE,
        'y = Pad<mode="wrap">(x, p)',
        "Gather",
        opset=19,
        p=whole(0, 0, 0, 2, 0, 0, 0, 1),
    ),
    "Pad, constant": broken(
        PlainPads(),
        IMAGE,
        "y = Pad(x, p, c)",
        "Concat Concat",
        p=whole(0, 0, 1, 2, 0, 0, 2, 0),
        c=1.5,
    ),
    "Pad, negative": broken(
        PlainPads(),
        IMAGE,
        "y = Pad(x, p)",
        "Gather Concat Gather Concat",
        p=whole(0, 0, -1, 2, 0, 0, 2, -1),
    ),
    "Pad, axes": broken(
        PlainPads(), IMAGE, "y = Pad(x, p, , a)", "Pad", opset=18, p=whole(1, 2), a=whole(-1)
    ),
    "Resize, nearest by fractions": broken(
        PlainResizes(), SMALL, "y = Resize(x, , s)", "Gather Gather", s=[1.0, 1.0, 1.5, 3.0]
    ),
    "Resize, nearest to sizes": broken(
        PlainResizes(),
        SMALL,
        f"y = Resize<{FLOOR}>(x, , , z)",
        "Gather Gather",
        z=whole(1, 2, 8, 7),
    ),
    "Resize, linear": broken(
        PlainResizes(),
        SMALL,
        'y = Resize<mode="linear">(x, , s)',
        "MatMul MatMul",
        s=[1.0, 1.0, 2.0, 1.5],
    ),
    "Resize, linear, aligned corners": broken(
        PlainResizes(),
        SMALL,
        'y = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x, , , z)',
        "MatMul MatMul",
        z=whole(1, 2, 8, 7),
    ),
    "Resize, cubic": broken(
        PlainResizes(),
        SMALL,
        'y = Resize<mode="cubic">(x, , s)',
        "MatMul MatMul",
        s=[1.0, 1.0, 2.0, 2.0],
    ),
    "Resize, linear taken for nearest": broken(
        PlainResizes(),
        SMALL,
        'y = Resize<mode="linear", nearest_mode="floor">(x, , s)',
        "MatMul",
        s=[1.0, 1.0, 1.0, 2.0],
    ),
    "Tile": broken(GatherTiles(), IMAGE, "y = Tile(x, r)", "Gather Gather", r=whole(1, 1, 2, 3)),
    "Expand by an axis": broken(
        ExpandInPlace(),
        "(float[3,1] x) => (float y)",
        "y = Expand(x, r)",
        "Reshape Expand",
        r=whole(2, 3, 4),
    ),
    "Gather, index -2": broken(
        CountFromStart(), ROW, "y = Gather<axis=1>(x, i)", "Gather", i=whole(-2, 1)
    ),
    "GatherElements, index -1": broken(
        CountFromStart(), ROW, "y = GatherElements<axis=1>(x, i)", "GatherElements", i=whole([-1])
    ),
    "GatherND, index -2": broken(
        CountFromStart(), SQUARE, "y = GatherND(x, i)", "GatherND", i=whole([-1, -2], [0, 1])
    ),
    "SplitToSequence, one size": broken(
        OpenSequences(),
        "(float[2,5] x) => (float y)",
        "s = SplitToSequence<axis=1>(x, n) y = SequenceAt(s, i)",
        "SplitToSequence Slice",
        n=np.array(2),
        i=np.array(2),
    ),
    "SplitToSequence, sizes": broken(
        OpenSequences(),
        "(float[2,5] x) => (float y)",
        "s = SplitToSequence<axis=-1>(x, n) y = SequenceAt(s, i)",
        "SplitToSequence Slice",
        n=np.array([1, 3, 1]),
        i=np.array(1),
    ),
    "SplitToSequence, single rows": broken(
        OpenSequences(),
        "(float[2,5] x) => (float y)",
        "s = SplitToSequence<keepdims=0>(x) y = SequenceAt(s, i)",
        "SplitToSequence Slice Squeeze",
        i=np.array(1),
    ),
    "SequenceConstruct, picked": broken(
        OpenSequences(),
        "(float[2,5] x, float[2,5] z) => (float y)",
        "s = SequenceConstruct(x, z) y = SequenceAt(s, i)",
        "SequenceConstruct Identity",
        i=np.array(-1),
    ),
    "SequenceConstruct, stacked": broken(
        OpenSequences(),
        "(float[2,5] x, float[2,5] z) => (float y)",
        "s = SequenceConstruct(x, z) y = ConcatFromSequence<axis=1, new_axis=1>(s)",
        "SequenceConstruct Unsqueeze Unsqueeze Concat",
    ),
    "Scaler of scikit-learn": broken(
        PlainClassicalModels(),
        "(float[1,6] x) => (float[1,6] y)",
        "y = ai.onnx.ml.Scaler<offset=[1.0], scale=[0.5]>(x)",
        "Sub Mul",
    ),
    "ScatterND": broken(
        GatherScatters(),
        "(float[4,3] x) => (float y)",
        "y = ScatterND(x, i, u)",
        "Reshape Concat Gather Reshape",
        i=whole([1], [-1]),
        u=normal(2, 3),
    ),
    "ScatterND, added rows": broken(
        GatherScatters(),
        "(float[4,3] x, float[3,3] u) => (float y)",
        'y = ScatterND<reduction="add">(x, i, u)',
        "Reshape Reshape Concat Gather Reshape ReduceSum Reshape",
        i=whole([1], [-1], [1]),
    ),
    "ScatterND, added to zeros": broken(
        GatherScatters(),
        "(float[3,2] u) => (float y)",
        'y = ScatterND<reduction="add">(z, i, u)',
        "Reshape Concat Gather Reshape ReduceSum Reshape",
        i=whole([1], [0], [1]),
        z=np.zeros((2, 2), np.float32),
    ),
    "ScatterElements, largest": broken(
        GatherScatters(),
        "(float[1,4] x, float[1,5] u) => (float y)",
        'y = ScatterElements<axis=1, reduction="max">(x, i, u)',
        "Reshape Reshape Concat Gather Reshape ReduceMax Reshape",
        i=whole([1, -2, 1, 0, 1]),
    ),
    "ScatterElements, largest of the updates": broken(
        GatherScatters(),
        "(float[5,2] u) => (float y)",
        'y = ScatterElements<reduction="max">(z, i, u)',
        "Reshape Gather Reshape ReduceMax Reshape",
        i=whole([1, 0], [0, 0], [1, 1], [1, 0], [1, 1]),
        z=np.full((2, 2), np.finfo(np.float32).min),
    ),
    "ScatterElements, largest of a number and the updates": broken(
        GatherScatters(),
        "(float[3,2] u) => (float y)",
        'y = ScatterElements<reduction="max">(z, i, u)',
        "Reshape Concat Gather Reshape ReduceMax Reshape",
        i=whole([1, 0], [1, 0], [1, 0]),
        z=np.full((2, 2), -9.0, np.float32),
    ),
    "ScatterElements": broken(
        GatherScatters(),
        ROW,
        "y = ScatterElements<axis=1>(x, i, u)",
        "Reshape Concat Gather Reshape",
        i=whole([1, -2]),
        u=normal(1, 2),
    ),
    "Trilu, upper": broken(MaskTriangles(), SQUARE, "y = Trilu(x)", "Where"),
    "Trilu, lower": broken(
        MaskTriangles(), SQUARE, "y = Trilu<upper=0>(x, k)", "Where", k=np.array(-1)
    ),
}
