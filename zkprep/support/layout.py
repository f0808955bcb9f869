"""How EZKL's loader laid out the tensors of convolutions: read from its own table of nodes.

EZKL prints `data_format=NCHW` for a convolution or pool it reads rightly. Where the loader dropped
the batch axis it prints CHW, and the circuit then takes a spatial axis for the channels: it
computes something else, or panics. Measured: CHW if and only if wrong, in 25 graphs.
Source: EZKL `src/circuit/ops/layouts.rs`, conv; zkprep.passes.circuit.batch_axis.
"""

import re

_WITHOUT_BATCH = re.compile(r"(\w+) \((?:[^()│]|\([\d, ]*\))*data_format=(?:CHW|HWC)\b")


def misread(table: str) -> tuple[str, ...]:
    """The kinds of node (CONV...) that lost their batch axis, one for each, in EZKL's `table`."""
    return tuple(match[1] for match in _WITHOUT_BATCH.finditer(table))
