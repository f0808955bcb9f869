"""Combinations nobody listed: the ideal operators or the right reason, and the same outputs."""

import combinations_crossings
import combinations_graphs
import combinations_joins
import combinations_linear
import combinations_parameters
import combinations_selections
import onnx
import onnx_ir as ir
import pytest
from combinations import CASES

from benchmarks.fusion.judging import interface_difference
from zkprep.fusing import fuse
from zkprep.models.model import Runner, seeded_inputs
from zkprep.passes.normalise.naming import NameNodes
from zkprep.passes.oracle import worst_error

LIMIT = 1e-6
FILES = (
    combinations_crossings,
    combinations_graphs,
    combinations_joins,
    combinations_linear,
    combinations_parameters,
    combinations_selections,
)


def test_every_file_has_cases() -> None:
    homes = {case.build.__module__ for case in CASES.values()}
    assert homes == {module.__name__ for module in FILES}


@pytest.mark.parametrize("name", CASES)
def test_combination(name: str) -> None:
    case = CASES[name]
    proto = case.model()
    model = ir.from_proto(proto)
    result = fuse(model)
    fused = ir.to_proto(result.model)
    onnx.checker.check_model(fused, full_check=True)
    assert interface_difference(proto, fused) == ""
    reasons = [site.reason for site in result.sites if site.reason]
    assert sorted(node.op_type for node in fused.graph.node) == sorted(case.left), reasons
    assert not case.reason or any(case.reason in reason for reason in reasons), reasons
    # ONNX Runtime wants node names that differ.
    before, after = Runner(NameNodes()(model).model), Runner(result.model)
    for seed in (0, 1):
        feeds = seeded_inputs(model, seed, default_dim=7)
        wanted, found = before(feeds), after(feeds)
        assert max(worst_error(wanted[one], found[one]) for one in wanted) <= LIMIT
    assert not fuse(result.model).applied
