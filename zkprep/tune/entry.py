"""At which scale a slice may read what comes to it: EZKL has one, its inputs each have their own.

Two are worth a circuit. The lowest of its inputs' takes them as they come, where they are alike.
The slice's own, where all are finer, lets them descend: what earlier slices put off is divided back
here, behind the first operator, and no further than the slice's precision allows.
"""

from collections.abc import Mapping
from typing import NamedTuple

import onnx_ir as ir

from zkprep.claims.allowed import LARGEST_DESCENT
from zkprep.models.model import input_specs


class Entry(NamedTuple):
    """The input scale of a circuit, and by how many bits each input descends to it; () for none."""

    input_scale: int
    descents: tuple[int, ...]


def entries(model: ir.Model, scales: Mapping[str, int], scale: int, own: int) -> tuple[Entry, ...]:
    """The entries of a slice, first the one by which least descends.

    Args:
        model: the slice's.
        scales: of the tensors before it, by name; the model's inputs need not be there.
        scale: that of the model's inputs.
        own: that to which values may descend.
    """
    specs = input_specs(model)
    read = [scales.get(spec.name, scale) if spec.dtype.kind == "f" else None for spec in specs]
    lowest = min((one for one in read if one is not None), default=scale)
    found = []
    for base in dict.fromkeys((lowest, min(lowest, own))):
        bits = tuple(0 if one is None else one - base for one in read)
        if max(bits) <= LARGEST_DESCENT:
            found.append(Entry(base, bits if any(bits) else ()))
    return tuple(found)
