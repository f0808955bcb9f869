"""What exporters write: recurrences, masks of -inf, bounds that are none, index arithmetic."""

from collections.abc import Mapping

import numpy as np
from construct import ROW, Construct, broken, normal, whole

from zkprep.passes.repair.clips import OpenClips
from zkprep.passes.repair.masks import FiniteMasks
from zkprep.passes.repair.open_guards import OpenGuards
from zkprep.passes.repair.picks import GatherRows
from zkprep.passes.repair.read_masks import LowestInstead
from zkprep.passes.repair.recurrences import UnrollRecurrences

SERIES = "(float[2,1,3] x) => (float y)"
STARTED = "(float[2,1,3] x, float[1,1,2] h) => (float y, float last)"
SQUARE = "(float[2,3,3] x) => (float y)"
MASKED = "(float[2,3,3] x, bool[1,3] b) => (float y)"
CAUSAL = np.triu(np.full((3, 3), -np.inf), 1).astype(np.float32)
ALLOWED = np.isfinite(CAUSAL)
LOWEST = np.finfo(np.float32).min

RNN = "MatMul Gather Tanh Gather MatMul Add Tanh Concat Reshape"
GRU_FIRST = "Gather Split Sigmoid Sigmoid Tanh Sub Mul"
GRU_NEXT = "Gather Split MatMul Split Add Sigmoid Add Sigmoid Mul MatMul Add Tanh Sub Mul Mul Add"
LSTM_FIRST = "Gather Split Sigmoid Sigmoid Tanh Mul Sigmoid Tanh Mul"
LSTM_NEXT = "Gather MatMul Add Split Sigmoid Sigmoid Tanh Mul Mul Add Sigmoid Tanh Mul"
LSTM_PEEPHOLES = (
    "MatMul Gather Split Sigmoid Sigmoid Tanh Mul Mul Add Sigmoid Tanh Mul"
    " Gather MatMul Add Split Mul Add Sigmoid Mul Add Sigmoid Tanh Mul Mul Add"
    " Mul Add Sigmoid Tanh Mul Concat Reshape"
)

CONSTRUCTS: Mapping[str, Construct] = {
    "RNN": broken(
        UnrollRecurrences(),
        SERIES,
        "y = RNN<hidden_size=2>(x, w, r)",
        RNN,
        w=normal(1, 2, 3),
        r=normal(1, 2, 2),
    ),
    "GRU": broken(
        UnrollRecurrences(),
        SERIES,
        "y = GRU<hidden_size=2>(x, w, r, b)",
        f"MatMul Add {GRU_FIRST} {GRU_NEXT} Concat Reshape",
        w=normal(1, 6, 3),
        r=normal(1, 6, 2),
        b=normal(1, 12),
    ),
    "LSTM": broken(
        UnrollRecurrences(),
        SERIES,
        "y = LSTM<hidden_size=2>(x, w, r)",
        f"MatMul {LSTM_FIRST} {LSTM_NEXT} Concat Reshape",
        w=normal(1, 8, 3),
        r=normal(1, 8, 2),
    ),
    "LSTM with peepholes": broken(
        UnrollRecurrences(),
        SERIES,
        "y = LSTM<hidden_size=2>(x, w, r, , , , , p)",
        LSTM_PEEPHOLES,
        w=normal(1, 8, 3),
        r=normal(1, 8, 2),
        p=normal(1, 6),
    ),
    "RNN from a state, its last state read": broken(
        UnrollRecurrences(),
        STARTED,
        'y, last = RNN<hidden_size=2, direction="reverse">(x, w, r, , , h)',
        "MatMul Gather Gather MatMul Add Tanh Gather MatMul Add Tanh Concat Reshape Reshape",
        w=normal(1, 2, 3),
        r=normal(1, 2, 2),
    ),
    "mask of -inf": broken(
        FiniteMasks(),
        SQUARE,
        "m = Add(x, c) y = Softmax<axis=-1>(m)",
        "Add GatherElements Add Softmax",
        c=CAUSAL,
    ),
    "mask of the lowest number, with a bias": broken(
        FiniteMasks(),
        SQUARE,
        "m = Add(c, x) y = Softmax<axis=1>(m)",
        "Add GatherElements Add Softmax",
        c=np.where(ALLOWED, normal(3, 3), LOWEST).astype(np.float32).T,
    ),
    "mask chosen by Where": broken(
        FiniteMasks(),
        SQUARE,
        "m = Where(b, x, c) y = Softmax<axis=-1>(m)",
        "Where GatherElements Add Softmax",
        b=ALLOWED,
        c=-np.inf,
    ),
    "mask that is read, added": broken(
        LowestInstead(),
        MASKED,
        "m = Where(b, z, c) s = Add(x, m) y = Softmax<axis=-1>(s)",
        "Where Add ReduceMin Add Where Softmax",
        z=0.0,
        c=LOWEST,
    ),
    "mask that is read, added, turned round, with a bias": broken(
        LowestInstead(),
        MASKED,
        "m = Where(b, c, z) s = Add(m, x) y = Softmax<axis=1>(s)",
        "Where Add Add ReduceMin Add Where Softmax",
        opset=18,
        z=normal(3, 1),
        c=LOWEST,
    ),
    "mask that is read, chosen by Where": broken(
        LowestInstead(),
        MASKED,
        "m = Where(b, x, c) y = Softmax<axis=-1>(m)",
        "Where ReduceMin Add Where Softmax",
        c=-1e4,
    ),
    "guard of a Softmax": broken(
        OpenGuards(),
        SQUARE,
        "s = Softmax<axis=-1>(x) n = IsNaN(s) y = Where(n, z, s)",
        "Softmax Identity",
        z=0.0,
    ),
    "guard of a row that a mask leaves out": broken(
        OpenGuards(),
        MASKED,
        "m = Where(b, x, c) s = Softmax<axis=-1>(m) n = IsNaN(s) y = Where(n, z, s)",
        "Where Softmax ReduceMin Add Where Softmax Cast ReduceMax Mul",
        z=0.0,
        c=-np.inf,
    ),
    "GatherND of elements": broken(
        GatherRows(),
        "(float[2,3] x) => (float y)",
        "y = GatherND(x, i)",
        "Reshape Gather Reshape",
        i=whole([0, 2], [1, -1]),
    ),
    "GatherND with a batch axis": broken(
        GatherRows(),
        "(float[2,3,2] x) => (float y)",
        "y = GatherND<batch_dims=1>(x, i)",
        "Reshape Gather Reshape",
        i=whole([[2], [0]], [[1], [1]]),
    ),
    "Clip without an upper bound": broken(
        OpenClips(), ROW, "y = Clip(x, l, h)", "Clip", l=-0.5, h=np.float32(np.inf)
    ),
    "Clip without bounds": broken(
        OpenClips(), ROW, "y = Clip(x, l, h)", "Identity", l=LOWEST, h=-LOWEST
    ),
}
