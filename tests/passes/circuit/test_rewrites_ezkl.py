"""Every rewrite on EZKL: fewer cells by its own count, and the witness still agrees."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rewriting import DEFERRED, IMAGE, SPEC, in_ezkl, model, rewritten, weights

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import assignments
from zkprep.passes.base import Pass
from zkprep.passes.circuit.bounds import BoundsByRelu
from zkprep.passes.circuit.channels import RemoveDeadChannels
from zkprep.passes.circuit.factors import FactorsBeforeProducts
from zkprep.passes.circuit.gates import GatesIntoWeights
from zkprep.passes.circuit.gelu import ScaledGelu
from zkprep.passes.circuit.layer_norms import LayerNormsByEinsum
from zkprep.passes.circuit.maxima import MaximaOfTwo
from zkprep.passes.circuit.means import MeansAsSums
from zkprep.passes.circuit.monotone import ActivateAfterMaxPool
from zkprep.passes.circuit.products import ProductsOfThree
from zkprep.passes.circuit.shared_biases import SharedBiases
from zkprep.passes.circuit.slopes import SlopesByRelu
from zkprep.passes.circuit.softmax import SoftmaxBySums
from zkprep.passes.circuit.swish import HardSigmoids
from zkprep.passes.circuit.transposed import TransposedByPhases
from zkprep.passes.circuit.winograd import MinimalFiltering
from zkprep.passes.repair.maximum_pools import PlainMaxPools

pytestmark = [pytest.mark.ezkl, pytest.mark.usefixtures("forked_workers")]


@dataclass(frozen=True)
class Case:
    """A model and the passes that make it cheaper under `spec`."""

    passes: tuple[Pass, ...]
    body: str
    interface: str = IMAGE
    spec: CircuitSpec = SPEC
    constants: dict[str, Any] = field(default_factory=dict)


POOL = "kernel_shape=[2,2], strides=[2,2]"
STEM = "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]"
SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"
DEEP = "(float[1,8,8,8] x) => (float y)"

CASES = {
    "a pool": Case((MaximaOfTwo(),), f"y = MaxPool<{POOL}>(x)"),
    "a pool that overlaps, padded, of negative values": Case(
        (ActivateAfterMaxPool(), PlainMaxPools(), MaximaOfTwo()),
        f"r = Relu(x) y = MaxPool<{STEM}>(r)",
    ),
    "an activation below its pool": Case(
        (ActivateAfterMaxPool(),), f"r = Relu(x) y = MaxPool<{POOL}>(r)"
    ),
    "a global maximum": Case((MaximaOfTwo(),), "y = GlobalMaxPool(x)"),
    "a least element": Case((MaximaOfTwo(),), "y = ReduceMin<axes=[1], keepdims=0>(x)"),
    "a mean of windows": Case((MeansAsSums(),), f"y = AveragePool<{POOL}>(x)"),
    "a mean of windows that overlap the border": Case(
        (MeansAsSums(),),
        f"p = AveragePool<{SAME}>(x) y = Conv<kernel_shape=[1,1]>(p, w)",
        constants={"w": weights(4, 4, 1, 1)},
    ),
    "a global mean before a product": Case(
        (MeansAsSums(),),
        "p = GlobalAveragePool(x) f = Flatten(p) y = Gemm(f, w, b)",
        "(float[1,8,7,7] x) => (float y)",
        constants={"w": weights(8, 5), "b": weights(5)},
    ),
    "a Conv": Case(
        (MinimalFiltering(),),
        f"y = Conv<{SAME}>(x, w, b)",
        DEEP,
        DEFERRED,
        {"w": weights(8, 8, 3, 3), "b": weights(8)},
    ),
    "a Conv of 5x5 and stride 2": Case(
        (MinimalFiltering(),),
        "y = Conv<kernel_shape=[5,5], strides=[2,2], pads=[2,2,2,2]>(x, w, b)",
        DEEP,
        DEFERRED,
        {"w": weights(8, 8, 5, 5), "b": weights(8)},
    ),
    "Convs around one of stride 2": Case(
        (MinimalFiltering(),),
        f"a = Conv<{SAME}>(x, w, b) r = Relu(a) s = Conv<{STEM}>(r, v, c) "
        f"t = Relu(s) y = Conv<{SAME}>(t, u)",
        "(float[1,16,8,8] x) => (float y)",
        DEFERRED,
        {
            "w": weights(16, 16, 3, 3),
            "b": weights(16),
            "v": weights(16, 16, 3, 3),
            "c": weights(16),
            "u": weights(16, 16, 3, 3),
        },
    ),
}

CASES |= {
    "a projected shortcut": Case(
        (SharedBiases(),),
        f"p = Conv<{SAME}>(x, w, b) q = Conv<kernel_shape=[1,1]>(x, v, c) y = Add(p, q)",
        constants={
            "w": weights(4, 4, 3, 3),
            "b": weights(4),
            "v": weights(4, 4, 1, 1),
            "c": weights(4),
        },
    ),
    "a ConvTranspose": Case(
        (TransposedByPhases(),),
        "y = ConvTranspose<kernel_shape=[2,2], strides=[2,2]>(x, w, b)",
        constants={"w": weights(4, 4, 2, 2), "b": weights(4)},
    ),
    "a ConvTranspose of 3x3, cropped": Case(
        (TransposedByPhases(),),
        "y = ConvTranspose<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], "
        "output_padding=[1,1]>(x, w, b)",
        constants={"w": weights(4, 4, 3, 3), "b": weights(4)},
    ),
    "a ConvTranspose without stride": Case(
        (TransposedByPhases(), MinimalFiltering()),
        "y = ConvTranspose<kernel_shape=[3,3]>(x, w, b)",
        DEEP,
        DEFERRED,
        {"w": weights(8, 8, 3, 3), "b": weights(8)},
    ),
}

NUMBERS = {"lo": np.float64(0), "hi": np.float64(1), "one": np.float64(1), "r": np.sqrt(2)}

CASES |= {
    "ReLU6 between Convs": Case(
        (BoundsByRelu(),),
        f"c = Conv<{SAME}>(x, w, b) y = Clip(c, lo, hi)",
        constants={"w": weights(4, 4, 3, 3), "b": weights(4), **NUMBERS},
    ),
    "a Max with a constant tensor": Case(
        (BoundsByRelu(),), "y = Max(x, m)", constants={"m": weights(4, 1, 1)}
    ),
    "a Min of two tensors": Case((BoundsByRelu(),), "a = Neg(x) y = Min(x, a)"),
    "a LeakyRelu": Case((SlopesByRelu(),), "y = LeakyRelu<alpha=0.1>(x)"),
    "a PRelu": Case((SlopesByRelu(),), "y = PRelu(x, s)", constants={"s": weights(4, 1, 1)}),
    "a HardSigmoid": Case((HardSigmoids(),), "y = HardSigmoid(x)"),
    "a HardSigmoid behind a Conv": Case(
        (HardSigmoids(),),
        "c = Conv<kernel_shape=[1,1]>(x, w, b) y = HardSigmoid(c)",
        constants={"w": weights(4, 4, 1, 1), "b": weights(4)},
    ),
    "a GELU between products": Case(
        (ScaledGelu(),),
        "a = MatMul(x, w) d = Div(a, r) e = Erf(d) f = Add(e, one) g = Mul(a, f) "
        "h = Mul(g, half) y = MatMul(h, v)",
        "(float[4,16] x) => (float y)",
        constants={"w": weights(16, 16), "v": weights(16, 16), "half": np.float64(0.5), **NUMBERS},
    ),
    "dead channels": Case(
        (RemoveDeadChannels(),),
        f"c = Conv<{SAME}>(x, w, b) r = Relu(c) y = Conv<kernel_shape=[3,3]>(r, v)",
        constants={
            "w": weights(4, 4, 3, 3) * np.array([1, 0, 1, 0]).reshape(-1, 1, 1, 1),
            "b": np.array([0.2, 0.5, 0.1, -0.5]),
            "v": weights(4, 4, 3, 3),
        },
    ),
    "a LayerNormalization": Case(
        (LayerNormsByEinsum(),),
        "n = LayerNormalization(x, g, b) y = Tanh(n)",
        "(float[1,4,12] x) => (float y)",
        constants={"g": weights(12) + 1, "b": weights(12)},
    ),
    "three factors": Case(
        (ProductsOfThree(),),
        "s = Sigmoid(x) a = Mul(x, s) m = Mul(a, z) y = Tanh(m)",
        "(float[1,4,12] x, float[1,4,1] z) => (float y)",
    ),
    "a row divided by its length and scaled": Case(
        (ProductsOfThree(),),
        "q = Mul(x, x) v = ReduceMean<axes=[-1]>(q) s = Sqrt(v) d = Div(x, s) m = Mul(d, g) "
        "y = Tanh(m)",
        "(float[1,4,12] x) => (float y)",
        constants={"g": weights(12) + 1},
    ),
    "a gate before a Conv": Case(
        (GatesIntoWeights(),),
        "s = Sigmoid(x) m = GlobalAveragePool(s) g = Sigmoid(m) p = Mul(s, g) "
        "y = Conv<kernel_shape=[1,1]>(p, w, b)",
        DEEP,
        constants={"w": weights(4, 8, 1, 1), "b": weights(4)},
    ),
    "scores of attention": Case(
        (FactorsBeforeProducts(),),
        "q = MatMul(x, w) t = Transpose<perm=[0,2,1]>(x) a = MatMul(q, t) d = Div(a, r) "
        "y = Sigmoid(d)",
        "(float[2,8,12] x) => (float y)",
        constants={"w": weights(12, 12), "r": np.sqrt(12)},
    ),
    "a Softmax": Case((SoftmaxBySums(),), "y = Softmax(x)", "(float[1,4,4,16] x) => (float y)"),
}


@pytest.mark.parametrize("name", CASES)
def test_fewer_cells_and_the_same_function(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    before = model(case.interface, case.body, **case.constants)
    after = rewritten(before, *case.passes).model
    one = in_ezkl(before, before, tmp_path / "before", case.spec)
    other = in_ezkl(after, before, tmp_path / "after", case.spec)
    assert other.error < 0.005 * other.span
    assert other.settings.total_assignments < one.settings.total_assignments
    assert other.settings.total_assignments == assignments(after, case.spec)
    assert MaximaOfTwo() not in case.passes or other.settings.num_shuffles == 0
