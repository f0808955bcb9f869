"""Fusion alone: from what a user has in hand, never in place, whatever the size of the weights."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

import zkprep
from zkprep.errors import InputError, PassError
from zkprep.fusing import fuse, fuse_file, fuse_model
from zkprep.models.model import Runner, load, load_lazily, seeded_inputs, serialize
from zkprep.models.outline import is_lazy
from zkprep.passes import base, evaluators, oracle
from zkprep.passes.base import PassResult, Site, run_passes
from zkprep.passes.oracle import worst_error
from zkprep.passes.pieces import Pieces


def network(layers: int = 3, *, norms: bool = True) -> onnx.ModelProto:
    """Convs of 4608 bytes each, with norms, and an If whose branches read from outside."""
    random = np.random.default_rng(0)
    nodes, weights, x = [], [], "x"

    def k(name: str, values: object) -> str:
        weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    for i in range(layers):
        outputs, inputs = (16, 8) if i % 2 else (8, 16)
        kernel = k(f"w{i}", random.standard_normal((outputs, inputs, 3, 3)) / 10)
        nodes.append(helper.make_node("Conv", [x, kernel], [f"c{i}"], name=f"c{i}", pads=[1] * 4))
        x = f"c{i}"
        if norms:
            parameters = [k(f"{p}{i}", random.uniform(0.5, 2, outputs)) for p in "gbmv"]
            norm = helper.make_node("BatchNormalization", [x, *parameters], [f"n{i}"], name=f"n{i}")
            nodes.append(norm)
            x = f"n{i}"
    inner = [helper.make_node("Neg", [x], ["inner"], name="inner")]
    infos = [helper.make_empty_tensor_value_info("inner")]
    other = [helper.make_node("Identity", [x], ["other"], name="other")]
    k("zero", 0.0)
    nodes += [
        helper.make_node("ReduceMax", [x], ["top"], name="top", keepdims=0),
        helper.make_node("Greater", ["top", "zero"], ["is"], name="is"),
        helper.make_node(
            "If",
            ["is"],
            ["y"],
            name="if",
            then_branch=helper.make_graph(inner, "then", [], infos),
            else_branch=helper.make_graph(other, "else", [], [onnx.ValueInfoProto(name="other")]),
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 6, 6])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def norms(model: onnx.ModelProto | ir.Model) -> int:
    return sum(
        node.op_type == "BatchNormalization"
        for node in (model.graph.node if isinstance(model, onnx.ModelProto) else model.graph)
    )


def same_outputs(before: ir.Model, after: ir.Model) -> bool:
    feeds = seeded_inputs(before, 1)
    return worst_error(Runner(before)(feeds)["y"], Runner(after)(feeds)["y"]) <= 1e-6


def test_a_protobuf_gives_a_protobuf_and_stays() -> None:
    proto = network()
    before = proto.SerializeToString(deterministic=True)
    fused = zkprep.fuse_model(proto)
    assert isinstance(fused, onnx.ModelProto)
    assert (norms(proto), norms(fused)) == (3, 0)
    assert proto.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(fused, full_check=True)
    assert same_outputs(ir.from_proto(proto), ir.from_proto(fused))


def test_a_model_of_onnx_ir_gives_one_and_stays() -> None:
    model = ir.from_proto(network())
    before = serialize(model)
    fused = fuse_model(model)
    assert isinstance(fused, ir.Model)
    assert (norms(model), norms(fused)) == (3, 0)
    assert serialize(model) == before
    # The weights in memory may be changed after; the result is not.
    assert not any(is_lazy(value.const_value) for value in fused.graph.initializers.values())


def test_other_things_are_refused() -> None:
    with pytest.raises(InputError, match="takes an onnx.ModelProto or an onnx_ir.Model, not str"):
        fuse_model("model.onnx")  # type: ignore[type-var]
    with pytest.raises(InputError, match="the model is not valid"):
        fuse_model(onnx.ModelProto())


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_and_names_of_files(tmp_path: Path, kind: type) -> None:
    onnx.save(network(), tmp_path / "in.onnx")
    sites = fuse_file(kind(tmp_path / "in.onnx"), kind(tmp_path / "new" / "out.onnx"))
    assert sum(site.applied and site.step == "fuse-affine" for site in sites) == 3
    assert norms(load(tmp_path / "new" / "out.onnx")) == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.onnx"]


def test_written_even_if_nothing_fused_and_twice_the_same(tmp_path: Path) -> None:
    onnx.save(network(norms=False), tmp_path / "in.onnx")
    for name in ("a", "b"):
        fuse_file(tmp_path / "in.onnx", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert same_outputs(load(tmp_path / "in.onnx"), load(tmp_path / "a"))


def test_never_in_place(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "in.onnx")
    (tmp_path / "link.onnx").symlink_to(tmp_path / "in.onnx")
    before = (tmp_path / "in.onnx").read_bytes()
    for name in ("in.onnx", "link.onnx"):
        with pytest.raises(InputError, match="is the input itself; fuse never works in place"):
            fuse_file(tmp_path / "in.onnx", tmp_path / name)
    assert (tmp_path / "in.onnx").read_bytes() == before


def test_external_weights_come_out_external(tmp_path: Path) -> None:
    path = tmp_path / "in.onnx"
    onnx.save(network(), path, save_as_external_data=True, location="in.bin", size_threshold=0)
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    fuse_file(path, tmp_path / "new" / "out.onnx")
    assert {one: one.read_bytes() for one in before} == before
    names = sorted(one.name for one in (tmp_path / "new").iterdir())
    assert names == ["out.onnx", "out.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "new" / "out.onnx"), full_check=True)
    fused = load(tmp_path / "new" / "out.onnx")
    assert norms(fused) == 0
    assert same_outputs(load(path), fused)


def test_large_weights_come_out_external(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "in.onnx")
    fuse_file(tmp_path / "in.onnx", tmp_path / "new" / "out.onnx", embed_up_to=1000)
    assert (tmp_path / "new" / "out.onnx.data").stat().st_size == 3 * 4608
    assert same_outputs(load(tmp_path / "in.onnx"), load(tmp_path / "new" / "out.onnx"))


def test_the_weights_of_the_input_are_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "in.onnx"
    onnx.save(
        network(), path, save_as_external_data=True, location="out.onnx.data", size_threshold=0
    )
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    for name in ("out.onnx", "out.onnx.data"):
        with pytest.raises(InputError, match="is where the input keeps its weights"):
            fuse_file(path, tmp_path / name)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("budget", [1, 5000, 10**9])
def test_pieces_compute_what_the_whole_does(tmp_path: Path, budget: int) -> None:
    onnx.save(network(), tmp_path / "in.onnx")
    model = load_lazily(tmp_path / "in.onnx").model
    pieces = Pieces(model, budget)
    for seed in (0, 1, 2):
        feeds = seeded_inputs(model, seed)
        np.testing.assert_allclose(pieces(feeds)["y"], Runner(model)(feeds)["y"], rtol=1e-5)


class Wrong:
    """Scales one element of one weight: a wrong fold."""

    name = "wrong"

    def __call__(self, model: ir.Model) -> PassResult:
        result = model.clone()
        weight = result.graph.initializers["w2"]
        tensor = weight.const_value

        def scaled() -> ir.TensorProtocol:
            values = tensor.numpy().copy()
            values[0, 0, 1, 1] += 1
            return ir.tensor(values, name="w2")

        weight.const_value = ir.LazyTensor(scaled, tensor.dtype, ir.Shape(tensor.shape), name="w2")
        return PassResult(result, (Site("wrong", ("c2",)),))


class Nothing:
    name = "nothing"

    def __call__(self, model: ir.Model) -> PassResult:
        return PassResult(model.clone(), ())


class Named:
    """A right pass, whose result is compared with those around it at once."""

    name = "named"

    def __call__(self, model: ir.Model) -> PassResult:
        result = model.clone()
        result.graph[-1].name = "branches"
        return PassResult(result, (Site("named", ("if",), created=("branches",)),))


@pytest.mark.parametrize("budget", [1, 2**24], ids=["in pieces", "whole"])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_wrong_fold_is_caught_and_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int, lazy: bool
) -> None:
    monkeypatch.setattr(evaluators, "BUDGET", budget)
    onnx.save(network(), tmp_path / "in.onnx")
    model = load_lazily(tmp_path / "in.onnx").model if lazy else load(tmp_path / "in.onnx")
    assert not run_passes(model, [Nothing()]).applied
    assert run_passes(model, [Named()]).applied
    message = r"pass 'wrong' \(after 'named'\) broke its contract.*output 'y' differs by"
    with pytest.raises(PassError, match=message):
        run_passes(model, [Named(), Wrong(), Nothing()])


def test_the_numbers_are_compared_once_for_all_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    difference = oracle.Oracle.difference
    monkeypatch.setattr(
        base.Oracle, "difference", lambda self, m: asked.append(m) or difference(self, m)
    )
    result = fuse(ir.from_proto(network()))
    assert len({site.step for site in result.applied}) > 1
    assert [serialize(one) for one in asked] == [serialize(result.model)]
