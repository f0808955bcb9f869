"""A profile accounts for every cell of its circuits, by operator and cause."""

import onnx_ir as ir
import pytest
from cost_networks import NETWORKS

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import assignments
from zkprep.cost.profile import BOUNDARY, CAUSES, profile

SPECS = {"default": CircuitSpec(), "sparing": CircuitSpec(checks_boundary=False)}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", ["residual", "max-pool", "attention", "inverted-residual"])
def test_every_cell_is_accounted_for(name: str, spec: str) -> None:
    circuits = [(ir.from_proto(NETWORKS[name]), SPECS[spec])] * 2
    found = profile(circuits)
    assert sum(sum(row.values()) for row in found.values()) == 2 * assignments(*circuits[0])
    assert all(set(row) == set(CAUSES) for row in found.values())
    totals = [sum(row.values()) for row in found.values()]
    assert totals == sorted(totals, reverse=True)


def test_causes_are_told_apart() -> None:
    found = profile([(ir.from_proto(NETWORKS["max-pool"]), CircuitSpec())])
    assert found["MaxPool"] == {**dict.fromkeys(CAUSES, 0), "pooling": 64 * 80}
    assert set(found) == {"MaxPool", BOUNDARY}
    assert found[BOUNDARY][BOUNDARY] == sum(found[BOUNDARY].values()) > 0
