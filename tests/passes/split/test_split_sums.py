"""Partial sums: every operator that sums, the names of the sums, and what is refused."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from net import Net, ops

from zkprep.claims.claim import Split
from zkprep.errors import InputError
from zkprep.models.model import Runner, seeded_inputs
from zkprep.passes.base import PassResult, run_passes
from zkprep.passes.normalise import normalise
from zkprep.passes.split import SplitIntoSums, Target


def summed(model: ir.Model, *places: int, nodes: tuple[str, ...] = ("n_y",)) -> PassResult:
    one = SplitIntoSums((Target(Split(tensor="y", summed=places), nodes),))
    result = run_passes(model, (one,))
    feeds = seeded_inputs(model, 3)
    before, after = Runner(model)(feeds), Runner(result.model)(feeds)
    np.testing.assert_allclose(after["y"], before["y"], rtol=2e-5, atol=2e-5)
    return result


def conv(net: Net) -> None:
    net.input("x", 1, 6, 5, 5)
    net.conv("x", 6, 4, 3, 3, out="y", pads=[1, 1, 1, 1])


def gemm(**attrs: float) -> Callable[[Net], None]:
    def build(net: Net) -> None:
        net.input("x", *((6, 2) if attrs.get("transA") else (2, 6)))
        net.normal("w", *((3, 6) if attrs.get("transB") else (6, 3)))
        net.normal("b", 3)
        net.node("Gemm", "x", "w", "b", out="y", **attrs)

    return build


def matmul(net: Net) -> None:
    net.node("MatMul", net.input("x", 2, 3, 6), net.input("z", 2, 6, 4), out="y")


BUILDERS = {
    "conv": conv,
    "gemm": gemm(),
    "gemm transposed": gemm(transA=1, transB=1, alpha=0.5, beta=2.0),
    "matmul": matmul,
}


def normal(build: Callable[[Net], None]) -> ir.Model:
    net = Net()
    build(net)
    return normalise(net.output("y").model()).model


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
@pytest.mark.parametrize("places", [(3,), (1, 2, 5)])
def test_sums_make_the_whole(build: Callable[[Net], None], places: tuple[int, ...]) -> None:
    result = summed(normal(build), *places)
    assert ops(result.model).count("Add") == len(places)
    assert result.model.graph.outputs[0].name == "y"


def test_a_sum_goes_from_part_to_part() -> None:
    """Each part adds its term to the sum of those before it; the bias is added once."""
    result = summed(normal(conv), 2, 4)
    convs = [node for node in result.model.graph if node.op_type == "Conv"]
    assert [len(node.inputs) for node in convs] == [3, 2, 2]
    adds = [node for node in result.model.graph if node.op_type == "Add"]
    assert [[v.name for v in node.inputs] for node in adds] == [
        ["y.sum0", "y.term1"],
        ["y.sum1", "y.term2"],
    ]


def test_what_follows_the_sum_stays_with_the_last_part() -> None:
    net = Net()
    net.input("x", 1, 6, 5, 5)
    net.batch_norm(net.conv("x", 6, 4, 3, 3, out="c"), 4, out="y")
    result = summed(normalise(net.output("y").model()).model, 3, nodes=("n_c", "n_y"))
    last = result.applied[-1] if "n_y.part1" in result.applied[-1].created else None
    created = [site.created for site in result.applied if "n_y.part1" in site.created]
    assert created == [("n_c.part1", "n_c.part1.add", "n_y.part1")]
    assert last is None or last.created == created[0]


def grouped(net: Net) -> None:
    net.input("x", 1, 6, 5, 5)
    net.conv("x", 6, 4, 3, 3, out="y", group=2)


REFUSED = {
    "groups": (grouped, (1,), "there is no one Conv in one group, Gemm or MatMul to part"),
    "beyond": (conv, (6,), "cannot split 'n_y' at [6] of 6 terms"),
    "unsorted": (conv, (4, 2), "cannot split 'n_y' at [4, 2] of 6 terms"),
}


@pytest.mark.parametrize(("build", "places", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_such_sum_is_refused(
    build: Callable[[Net], None], places: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(InputError) as why:
        summed(normal(build), *places)
    assert reason in str(why.value)


def test_a_sum_over_what_is_rewritten_with_it_is_refused() -> None:
    net = Net()
    net.input("x", 1, 6, 5, 5)
    net.conv(net.batch_norm("x", 6, out="b"), 6, 4, 3, 3, out="y")
    with pytest.raises(InputError, match="'n_y' reads what is rewritten together with it"):
        summed(normalise(net.output("y").model()).model, 3, nodes=("n_b", "n_y"))
