"""Normalisation in tests: what every normalised model has to be."""

import onnx_ir as ir
from net import Net

from zkprep.models.model import serialize
from zkprep.passes.base import PassResult
from zkprep.passes.normalise import normalise


def normal(net: Net | ir.Model, **options: object) -> PassResult:
    """Normalise under the contract; a second time nothing changes; everything is static."""
    model = net.model() if isinstance(net, Net) else net
    before = serialize(model)
    result = normalise(model, **options)
    assert serialize(model) == before
    again = normalise(result.model)
    assert serialize(again.model) == serialize(result.model)
    assert not again.applied
    names = [node.name for graph in result.model.graphs() for node in graph]
    assert all(names)
    assert len(set(names)) == len(names)
    for node in result.model.graph:
        for value in node.outputs:
            assert value.dtype is not None
            assert value.shape.is_static(), value
    return result
