"""Which operator is laid out how, and what its cells count as.

An operator that is not listed is not known: its cells are estimated (zkprep.cost.walk).
"""

from zkprep.cost import elementwise, gadgets, linear, movement, reductions
from zkprep.cost.call import Lowering
from zkprep.cost.elementwise import by_gadget
from zkprep.cost.gadgets import Region

_MULTIPLY: dict[str, Lowering] = {
    "Add": elementwise.add,
    "BatchNormalization": linear.batch_normalization,
    "Conv": linear.conv,
    "ConvTranspose": linear.conv_transpose,
    "Div": elementwise.divide,
    "Einsum": linear.einsum,
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "Mean": elementwise.mean,
    "Mul": elementwise.multiply,
    "Neg": by_gadget(Region.assign),
    "Pow": elementwise.power,
    "Sub": elementwise.subtract,
    "Sum": elementwise.add,
}

_TABLE = ("Cos", "Erf", "Exp", "HardSwish", "Log", "Sigmoid", "Sin", "Tanh")

_ACTIVATION: dict[str, Lowering] = {
    "Abs": by_gadget(gadgets.absolute),
    "Clip": elementwise.clip,
    "Elu": elementwise.elu,
    "Greater": elementwise.compare,
    "GreaterOrEqual": elementwise.compare_or_equal,
    "HardSigmoid": elementwise.hard_sigmoid,
    "LeakyRelu": elementwise.leaky_relu,
    "Less": elementwise.compare,
    "LessOrEqual": elementwise.compare_or_equal,
    "LogSoftmax": reductions.log_softmax,
    "Max": elementwise.maximum,
    "Min": elementwise.minimum,
    "PRelu": elementwise.prelu,
    "Reciprocal": elementwise.reciprocal,
    "Relu": by_gadget(gadgets.relu),
    "Sign": elementwise.sign,
    "Softmax": reductions.softmax,
    "Softplus": elementwise.softplus,
    "Softsign": elementwise.softsign,
    "Sqrt": by_gadget(gadgets.square_root),
    "Where": elementwise.where,
    **dict.fromkeys(_TABLE, elementwise.table),
}

_POOLING: dict[str, Lowering] = {
    "AveragePool": reductions.average_pool,
    "GlobalAveragePool": reductions.global_average_pool,
    "GlobalMaxPool": reductions.global_max_pool,
    "MaxPool": reductions.max_pool,
    "ReduceMax": reductions.reduce_extreme,
    "ReduceMean": reductions.reduce_mean,
    "ReduceMin": reductions.reduce_extreme,
    "ReduceSum": reductions.reduce_sum,
}

_OTHER: dict[str, Lowering] = {
    "BitShift": elementwise.shift,
    "Cast": elementwise.cast,
    "Concat": movement.concat,
    "Cut": movement.cut,
    "DepthToSpace": movement.move,
    "Downsample": movement.cut,
    "Dropout": elementwise.unchanged,
    "Expand": movement.expand,
    "Flatten": movement.reshape,
    "Gather": movement.gather,
    "Identity": elementwise.unchanged,
    "InstanceNormalization": reductions.instance_normalization,
    "LayerNormalization": reductions.layer_normalization,
    "Pad": movement.move,
    "Reshape": movement.reshape,
    "Resize": movement.resize,
    "Slice": movement.cut,
    "SpaceToDepth": movement.move,
    "Squeeze": movement.reshape,
    "Transpose": movement.transpose,
    "Unsqueeze": movement.reshape,
}

LOWERINGS = {**_MULTIPLY, **_ACTIVATION, **_POOLING, **_OTHER}
"""Every known operator of the default ONNX domain."""

CATEGORIES = {
    **dict.fromkeys(_MULTIPLY, "multiply"),
    **dict.fromkeys(_ACTIVATION, "activation"),
    **dict.fromkeys(_POOLING, "pooling"),
    **dict.fromkeys(_OTHER, "other"),
}
"""The field of `zkprep.cost.cells.Cells` that an operator's own cells count to."""

SORTING = frozenset(
    ("GlobalMaxPool", "LogSoftmax", "MaxPool", "ReduceMax", "ReduceMin", "Softmax", "TopK")
)
"""Operators that sort: EZKL shuffles what they sort."""

TABLES = frozenset((*_TABLE, "Elu", "LogSoftmax", "Softmax", "Softplus"))
"""Operators that look elements up in a static table."""
