"""The runner catches every way a pass can break its contract, and names the passes before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
import pytest
from net import Net

from zkprep.errors import InputError, PassError
from zkprep.models.model import serialize
from zkprep.passes.base import PassResult, Site, run_passes

DONE = Site("done", ("n_y",))


@dataclass(frozen=True)
class Bad:
    """A pass that does `sabotage` to a copy and reports `sites`."""

    sabotage: Callable[[ir.Model], None]
    sites: tuple[Site, ...] = (DONE,)
    in_place: bool = False
    name: ClassVar[str] = "bad"

    def __call__(self, model: ir.Model) -> PassResult:
        result = model if self.in_place else model.clone()
        self.sabotage(result)
        return PassResult(result, self.sites)


@dataclass(frozen=True)
class Narrow(Bad):
    """The same, as a pass that declares that it narrows the interface."""

    narrows: ClassVar[str] = "something"


@dataclass(frozen=True)
class Good:
    name: ClassVar[str] = "good"

    def __call__(self, model: ir.Model) -> PassResult:
        return PassResult(model.clone(), ())


def net(**options: object) -> Net:
    made = Net(**options)
    made.input("x", 2, 3, 5, 5)
    made.node("Relu", made.conv("x", 3, 4, 3, 3), out="y")
    return made


def model() -> ir.Model:
    return net().output("y").model()


def scale_weight(factor: float) -> Callable[[ir.Model], None]:
    def sabotage(m: ir.Model) -> None:
        weight = m.graph.initializers["c_w"]
        weight.const_value = ir.tensor(weight.const_value.numpy() * np.float32(factor), name="c_w")

    return sabotage


def rename_output(m: ir.Model) -> None:
    m.graph.outputs[0].name = "z"


def fixed_shape(m: ir.Model) -> None:
    m.graph.outputs[0].shape = ir.Shape([2, 4, 3, "W"])


def retype_input(m: ir.Model) -> None:
    m.graph.inputs[0].type = ir.TensorType(ir.DataType.DOUBLE)


def unknown_operator(m: ir.Model) -> None:
    m.graph[1].op_type = "Rely"


def stale_shape(m: ir.Model) -> None:
    m.graph[0].outputs[0].shape = ir.Shape([2, 4, 9, 9])


def remove_relu(m: ir.Model) -> None:
    relu = m.graph[1]
    relu.outputs[0].replace_all_uses_with(relu.inputs[0], replace_graph_outputs=True)
    m.graph.remove(relu, safe=True)
    m.graph[0].outputs[0].name = "y"


def rename_node(m: ir.Model) -> None:
    m.graph[0].name = "other"


def unrunnable(m: ir.Model) -> None:
    m.graph[1].domain = "nobody"
    m.opset_imports["nobody"] = 1


BREACHES = {
    "touches its input": (Bad(scale_weight(2), in_place=True), "it changed the model it was given"),
    "reports nothing": (
        Bad(scale_weight(1.000001), ()),
        "it changed the model but reports no applied site",
    ),
    "reports a reason only": (
        Bad(scale_weight(1.000001), (Site("r", ("n_y",), "because"),)),
        "it changed the model but reports no applied site",
    ),
    "does nothing": (Bad(lambda m: None), "it reports 'done' as applied but changed nothing"),
    "loses a node": (
        Bad(remove_relu, (Site("r", ("n_c",)),)),
        "it removed node 'n_y' but no applied site says so",
    ),
    "makes a node": (
        Bad(rename_node, (Site("r", ("n_c",)),)),
        "it created node 'other' but no applied site says so",
    ),
    "names no node": (
        Bad(scale_weight(1.000001), (Site("r", ("ghost",)),)),
        "a site names 'ghost', which is no node",
    ),
    "renames an output": (Bad(rename_output), "the outputs were ['y'] and are ['z']"),
    "changes a shape": (
        Bad(fixed_shape),
        "'y' of the outputs was FLOAT[2,4,3,3] and is FLOAT[2,4,3,W]",
    ),
    "changes a type": (
        Bad(retype_input),
        "'x' of the inputs was FLOAT[2,3,5,5] and is DOUBLE[2,3,5,5]",
    ),
    "makes an invalid model": (
        Bad(unknown_operator),
        "the ONNX checker rejects the result: No Op registered for Rely",
    ),
    "leaves a stale shape": (
        Bad(stale_shape),
        "the ONNX checker rejects the result: [ShapeInferenceError]",
    ),
    "makes a model that does not run": (Bad(unrunnable), "the result does not run: "),
    "computes something else": (Bad(scale_weight(1.01)), "output 'y' differs by "),
    "is negative where it matters": (
        Bad(remove_relu, (Site("r", ("n_c", "n_y")),)),
        "output 'y' differs by ",
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_breach(breach: str) -> None:
    bad, message = BREACHES[breach]
    with pytest.raises(PassError) as caught:
        run_passes(model(), [Good(), bad])
    text = str(caught.value)
    assert text.startswith("pass 'bad' (after 'good') broke its contract")
    assert message in text


def test_a_pass_that_raises_is_a_breach() -> None:
    def explode(m: ir.Model) -> None:
        raise KeyError("oops")

    with pytest.raises(
        PassError, match=r"pass 'bad' broke its contract.*it raised KeyError: 'oops'"
    ):
        run_passes(model(), [Bad(explode)])


def test_a_refusal_of_the_input_is_none() -> None:
    def refuse(m: ir.Model) -> None:
        raise InputError("no such dimension")

    with pytest.raises(InputError, match="no such dimension"):
        run_passes(model(), [Bad(refuse)])


def test_rounding_is_no_breach() -> None:
    result = run_passes(model(), [Good(), Bad(scale_weight(1 + 1e-6))])
    assert result.applied == (DONE,)


def test_the_model_given_is_untouched() -> None:
    given = model()
    before = serialize(given)
    run_passes(given, [Bad(scale_weight(1 + 1e-6))])
    assert serialize(given) == before


@pytest.mark.parametrize("channels", [4, 40])
def test_weights_that_are_written_to_in_place_are_noticed(channels: int) -> None:
    """A copy of a model shares its weights; a pass that writes into them changes the original."""
    made = Net()
    made.input("x", 2, 3, 5, 5)
    given = made.output(made.conv("x", 3, channels, 3, 3)).model()
    weight = given.graph.initializers["c_w"]
    weight.const_value = ir.Tensor(weight.const_value.numpy().copy(), name="c_w")

    def write(m: ir.Model) -> None:
        m.graph.initializers["c_w"].const_value.numpy()[0] *= 1 + 1e-6

    with pytest.raises(PassError, match="it changed the model it was given"):
        run_passes(given, [Bad(write, (Site("done", ("n_c",)),))])


def test_defaults_of_inputs_stay() -> None:
    made = net()
    made.input("c_w", 4, 3, 3, 3)
    with pytest.raises(PassError, match="the default of input 'c_w' changed"):
        run_passes(made.output("y").model(), [Bad(scale_weight(1 + 1e-6))])


def test_overridden_weights_are_fed() -> None:
    """A pass that folds a default in is right for the default and wrong for every other value."""

    def fold_default(m: ir.Model) -> None:
        value = ir.Value(
            name="frozen",
            const_value=ir.tensor(m.graph.initializers["c_w"].const_value.numpy(), name="frozen"),
        )
        m.graph.register_initializer(value)
        m.graph[0].replace_input_with(1, value)

    made = net()
    made.input("c_w", 4, 3, 3, 3)
    with pytest.raises(PassError, match="output 'y' differs by"):
        run_passes(made.output("y").model(), [Bad(fold_default)])


def test_symbolic_models_are_run_in_a_size_that_works() -> None:
    made = Net()
    made.input("x", "N", 3, "H", "W")
    made.node("Relu", made.conv("x", 3, 4, 5, 5), out="y")
    with pytest.raises(PassError, match="output 'y' differs by"):
        run_passes(made.output("y").model(), [Bad(scale_weight(1.01))])


def test_narrowing_may_fix_dimensions_and_nothing_else() -> None:
    made = Net()
    made.input("x", "N", 3, 5, 5)
    made.node("Relu", made.conv("x", 3, 4, 3, 3), out="y")
    symbolic = made.output("y").model()

    def fix(m: ir.Model) -> None:
        for value in (m.graph.inputs[0], m.graph[0].outputs[0], m.graph.outputs[0]):
            value.shape = ir.Shape([2, *value.shape[1:]])

    with pytest.raises(PassError, match=r"'x' of the inputs was FLOAT\[N,3,5,5\]"):
        run_passes(symbolic, [Bad(fix)])
    assert run_passes(symbolic, [Narrow(fix)]).applied == (DONE,)

    def fix_and_scale(m: ir.Model) -> None:
        fix(m)
        scale_weight(1.01)(m)

    with pytest.raises(PassError, match="output 'y' differs by"):
        run_passes(symbolic, [Narrow(fix_and_scale)])
    with pytest.raises(PassError, match=r"the outputs were \['y'\] and are \['z'\]"):
        run_passes(symbolic, [Narrow(rename_output)])


def test_narrowing_may_not_drop_an_input_without_a_default() -> None:
    made = net()
    made.input("z", 2, 4, 3, 3)

    def drop(m: ir.Model) -> None:
        del m.graph.inputs[1]

    with pytest.raises(PassError, match=r"the inputs were \['x', 'z'\] and are \['x'\]"):
        run_passes(made.output("y").model(), [Narrow(drop)])


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_types_onnx_runtime_cannot_run_are_compared_too(dtype: str) -> None:
    made = net(dtype=dtype).output("y").model()

    def sabotage(m: ir.Model) -> None:
        weight = m.graph.initializers["c_w"]
        values = (weight.const_value.numpy().astype(np.float64) * 1.5).astype(weight.dtype.numpy())
        weight.const_value = ir.Tensor(values, dtype=weight.dtype, name="c_w")

    with pytest.raises(PassError, match="output 'y' differs by"):
        run_passes(made, [Bad(sabotage)])


def test_a_model_nothing_can_run_is_refused() -> None:
    given = model()
    unrunnable(given)
    with pytest.raises(
        InputError, match="the model cannot be run here, so no rewrite of it can be"
    ):
        run_passes(given, [Bad(scale_weight(1 + 1e-6))])
