"""Normalisations and recurrences."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    case,
    constant,
    floats,
    network,
    positive_weights,
    weights,
)

IMAGE = floats(1, 3, 4, 4)


def normalisations() -> Iterator[Case]:
    g, b, m, v = weights(3), weights(3, seed=4), weights(3, seed=5), positive_weights(3)
    yield case("BatchNormalization", "default", IMAGE, g, b, m, v)
    yield case("BatchNormalization", "epsilon", IMAGE, g, b, m, v, epsilon=0.1)
    yield case("BatchNormalization", "2d", floats(2, 3), g, b, m, v)
    yield case("BatchNormalization", "1d", floats(2, 3, 5), g, b, m, v)
    yield case("BatchNormalization", "3d", floats(1, 3, 2, 2, 2), g, b, m, v)
    yield case("BatchNormalization", "opset 7", IMAGE, g, b, m, v, opset=7)
    yield case(
        "BatchNormalization",
        "training mode",
        floats(2, 3, 2, 2),
        g,
        b,
        m,
        v,
        outputs=3,
        training_mode=1,
    )
    yield network(
        "BatchNormalization",
        "behind Conv",
        "c = Conv (x, w) y = BatchNormalization (c, g, b, m, v)",
        x=IMAGE,
        w=weights(3, 3, 3, 3),
        g=g,
        b=b,
        m=m,
        v=v,
    )
    yield network(
        "BatchNormalization",
        "before ReLU and Conv",
        "c = BatchNormalization (x, g, b, m, v) r = Relu (c) y = Conv <pads = [1, 1, 1, 1]> (r, w)",
        x=IMAGE,
        w=weights(3, 3, 3, 3),
        g=g,
        b=b,
        m=m,
        v=v,
    )
    yield case("InstanceNormalization", "default", IMAGE, g, b)
    yield case("InstanceNormalization", "1d", floats(1, 3, 6), g, b)
    yield case("LayerNormalization", "default", floats(2, 3, 8), weights(8), weights(8, seed=3))
    yield case("LayerNormalization", "no bias", floats(2, 3, 8), weights(8))
    yield case("LayerNormalization", "axis 1", floats(2, 3, 4), weights(3, 4), axis=1)
    yield case(
        "LayerNormalization", "mean read", floats(2, 8), weights(8), weights(8, seed=3), outputs=2
    )
    yield case(
        "GroupNormalization",
        "opset 21",
        floats(1, 4, 3, 3),
        weights(4),
        weights(4, seed=3),
        num_groups=2,
        opset=21,
        types=[(1, (1, 4, 3, 3))],
    )
    yield case(
        "GroupNormalization",
        "opset 18",
        floats(1, 4, 3, 3),
        weights(2),
        weights(2, seed=3),
        num_groups=2,
        opset=18,
        types=[(1, (1, 4, 3, 3))],
    )
    yield case("RMSNormalization", "default", floats(2, 8), weights(8), opset=23)
    yield case("LpNormalization", "p 2", floats(2, 5))
    yield case("LpNormalization", "p 1", floats(2, 5), p=1, axis=0)
    yield case("MeanVarianceNormalization", "default", IMAGE, types=[(1, (1, 3, 4, 4))])
    yield case("LRN", "size 3", IMAGE, size=3)
    for operator in ("Softmax", "LogSoftmax", "Hardmax"):
        yield case(operator, "default axis", floats(2, 5))
        yield case(operator, "axis 1 of 3", floats(2, 3, 4), axis=1)
        yield case(operator, "opset 11 of rank 3", floats(2, 3, 4), opset=11, axis=1)


def recurrences() -> Iterator[Case]:
    sizes = {"LSTM": 4, "GRU": 3, "RNN": 1}
    x, hidden = floats(3, 1, 2), 2
    for operator, gates in sizes.items():
        w = weights(1, gates * hidden, 2)
        r = weights(1, gates * hidden, hidden, seed=3)
        b = weights(1, 2 * gates * hidden, seed=4)
        last = ["y0"]
        yield case(operator, "no bias", x, w, r, hidden_size=hidden, outputs=last)
        yield case(operator, "bias", x, w, r, b, hidden_size=hidden, outputs=last)
        yield case(operator, "final state read", x, w, r, b, hidden_size=hidden, outputs=["", "y1"])
        yield case(
            operator, "reverse", x, w, r, b, hidden_size=hidden, direction="reverse", outputs=last
        )
        yield case(
            operator,
            "initial state",
            x,
            w,
            r,
            b,
            None,
            weights(1, 1, hidden),
            hidden_size=hidden,
            outputs=last,
        )
        yield case(
            operator,
            "sequence lengths",
            floats(3, 2, 2),
            w,
            r,
            b,
            constant([3, 2], np.int32),
            hidden_size=hidden,
            outputs=last,
        )
        yield case(
            operator,
            "bidirectional",
            x,
            np.tile(w, (2, 1, 1)),
            np.tile(r, (2, 1, 1)),
            hidden_size=hidden,
            direction="bidirectional",
            outputs=last,
        )
        yield case(
            operator,
            "layout 1",
            floats(1, 3, 2),
            w,
            r,
            b,
            hidden_size=hidden,
            layout=1,
            outputs=last,
        )
        yield case(
            operator,
            "clip",
            floats(3, 1, 2, draw="wide"),
            w,
            r,
            b,
            hidden_size=hidden,
            clip=0.5,
            outputs=last,
        )
    yield case(
        "LSTM",
        "peepholes",
        x,
        weights(1, 8, 2),
        weights(1, 8, 2, seed=3),
        None,
        None,
        None,
        None,
        weights(1, 6, seed=5),
        hidden_size=2,
        outputs=["y0"],
    )
    yield case(
        "LSTM",
        "other activations",
        x,
        weights(1, 8, 2),
        weights(1, 8, 2, seed=3),
        hidden_size=2,
        activations=["HardSigmoid", "Relu", "Tanh"],
        outputs=["y0"],
    )
    yield case(
        "GRU",
        "linear_before_reset",
        x,
        weights(1, 6, 2),
        weights(1, 6, 2, seed=3),
        weights(1, 12),
        hidden_size=2,
        linear_before_reset=1,
        outputs=["y0"],
    )
    yield case(
        "RNN",
        "Relu",
        x,
        weights(1, 2, 2),
        weights(1, 2, 2, seed=3),
        hidden_size=2,
        activations=["Relu"],
        outputs=["y0"],
    )


def cases() -> Iterator[Case]:
    yield from normalisations()
    yield from recurrences()
