"""Every way in which a statement can be ill-formed, by name, with the message it must raise."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from honest_chain import SPEC, honest_statement, raw, replace_port, replace_slice

from zkprep.claims.statement import Head, OuterPort, PortRef, Statement, Wire, dump, load
from zkprep.errors import StatementError

HONEST = honest_statement()

replace = msgspec.structs.replace


def with_spec(**changes: Any) -> Callable[[Statement], Statement]:
    return lambda s: replace_slice(s, 1, spec=replace(SPEC, **changes))


def with_wires(*wires: Wire) -> Callable[[Statement], Statement]:
    return lambda s: replace(s, wires=wires)


def with_port(
    index: int, side: str, number: int, **changes: Any
) -> Callable[[Statement], Statement]:
    return lambda s: replace_port(s, index, side, number, **changes)


def with_input(**changes: Any) -> Callable[[Statement], Statement]:
    return lambda s: replace(s, inputs=(replace(s.inputs[0], **changes),))


def with_output(**changes: Any) -> Callable[[Statement], Statement]:
    return lambda s: replace(s, outputs=(replace(s.outputs[0], **changes),))


def with_preparation(**changes: Any) -> Callable[[Statement], Statement]:
    return lambda s: replace(s, preparation=replace(s.preparation, **changes))


def with_head(**changes: Any) -> Callable[[Statement], Statement]:
    head = Head(tensor="p", source="y", function="Softmax", axis=0, last=False, shape=(2,))
    return lambda s: replace(s, heads=(replace(head, **changes),))


def wire(tensor: str, source: tuple[int, int], target: tuple[int, int]) -> Wire:
    return Wire(tensor=tensor, source=PortRef(*source), target=PortRef(*target))


def backward_wire(statement: Statement) -> Statement:
    return replace(statement, wires=(wire("y", (2, 0), (1, 0)), *WIRES[1:]))


def two_outputs(statement: Statement) -> Statement:
    return replace(statement, outputs=statement.outputs * 2)


def unread_output(statement: Statement) -> Statement:
    late = OuterPort(tensor="b", shape=(1, 3), ports=(PortRef(1, 0),))
    return replace(statement, outputs=(late,))


def renamed(statement: Statement) -> Statement:
    """The last output takes the name of the model's input."""
    statement = replace_port(statement, 2, "outputs", 0, tensor="x")
    return with_output(tensor="x")(statement)


def scalar_output(statement: Statement) -> Statement:
    piece = statement.slices[2]
    scalar = replace(piece.outputs[0], shape=(), length=1)
    statement = replace_slice(statement, 2, outputs=(scalar,))
    return with_output(shape=())(statement)


WIRES = HONEST.wires
A, B, S = WIRES
SPARE_SRS = replace(HONEST.slices[1].srs, logrows=11)

ILL_FORMED: dict[str, tuple[Callable[[Statement], Statement], str]] = {
    # (a) the cut
    "unsorted dims": (with_preparation(dims=(("n", 1), ("batch", 1))), "not sorted"),
    "repeated dim": (with_preparation(dims=(("n", 1), ("n", 2))), "not sorted and distinct"),
    "cut of two": (with_preparation(cut=(("double",), ("relu",))), "2 parts for 3 slices"),
    "node in two parts": (
        with_preparation(cut=(("double",), ("relu",), ("double",))),
        "the cut names node 'double' twice",
    ),
    # (b) bounds
    "too many rows": (with_spec(logrows=27), "slice 1: logrows is 27, outside 1 to 26"),
    "no legs": (with_spec(decomp_legs=0), "decomp_legs is 0, outside 1 to 64"),
    "huge number of legs": (with_spec(decomp_legs=1 << 40), "decomp_legs is 1099511627776"),
    "base of one": (with_spec(decomp_base=1), "decomp_base is 1"),
    "constants finer than a slope": (
        with_spec(param_scale=31),
        "slice 1: param_scale is 31, outside 0 to 30",
    ),
    "scales finer than a multiplier": (
        with_spec(input_scale=63),
        "slice 1: input_scale is 63, outside 0 to 62",
    ),
    "rebases put off beyond a multiplier": (
        with_spec(scale_rebase_multiplier=19),
        "slice 1: scales grow to 133 before a rebase, outside 1 to 126",
    ),
    "multiplier of zero": (with_spec(scale_rebase_multiplier=0), "scale_rebase_multiplier is 0"),
    "range that wraps in the field": (
        with_spec(decomp_base=1 << 26, decomp_legs=10),
        "range checks reach 67108864**10 - 1, the limit is",
    ),
    "lookup range upside down": (with_spec(lookup_range=(5, -5)), "5 to -5 is not a range"),
    "descents of other inputs": (
        with_spec(descents=(1, 2)),
        "slice 1: its inputs descend by [1, 2], expected bits for each of 1 inputs",
    ),
    "descents of nothing": (with_spec(descents=(0,)), "slice 1: its inputs descend by [0], exp"),
    "no descents": (with_spec(descents=()), "slice 1: its inputs descend by []"),
    "descent to no float": (with_spec(descents=(127,)), "descend by [127], outside 0 to 126"),
    "ascent": (with_spec(descents=(-1,)), "descend by [-1], outside 0 to 126"),
    "descent to another scale": (
        with_spec(descents=(2,)),
        "slice 1: its inputs descend by [2], 'a' of scale 7 to 5, not to the circuit's 7",
    ),
    "exits of other outputs": (
        with_spec(exits=(1, 2)),
        "slice 1: its outputs are brought down by [1, 2], expected bits for each of 1 outputs",
    ),
    "exits of nothing": (with_spec(exits=(0,)), "its outputs are brought down by [0], expected"),
    "no exits": (with_spec(exits=()), "slice 1: its outputs are brought down by []"),
    "exit to no float": (with_spec(exits=(126,)), "brought down by [126], outside 0 to 125"),
    "exit upwards": (with_spec(exits=(-1,)), "brought down by [-1], outside 0 to 125"),
    "exit from another scale": (
        with_spec(exits=(2,)),
        "'b' to scale 7 from 9, not from the 7 to which its circuit divides",
    ),
    "SRS of other rows": (
        lambda s: replace_slice(s, 1, srs=SPARE_SRS),
        "slice 1: the SRS is for 2**11 rows, not 2**10",
    ),
    "instances beyond the rows": (
        lambda s: replace_slice(
            s, 1, spec=replace(SPEC, logrows=2), srs=replace(s.slices[1].srs, logrows=2)
        ),
        "slice 1: 6 instances do not fit 2**2 rows",
    ),
    # (c) tiling
    "gap between ports": (
        with_port(1, "outputs", 0, start=4),
        "slice 1: output 'b' starts at instance 4, expected 3: ports tile the instances",
    ),
    "overlapping ports": (with_port(1, "outputs", 0, start=2), "starts at instance 2, expected 3"),
    "late start": (with_port(0, "inputs", 0, start=1), "starts at instance 1, expected 0"),
    "length unlike shape": (
        with_port(2, "outputs", 0, length=3),
        "slice 2: output 'y' has 3 values for shape [2]",
    ),
    "outputs before inputs": (
        lambda s: replace_slice(s, 1, inputs=s.slices[1].outputs, outputs=s.slices[1].inputs),
        "slice 1: input 'b' starts at instance 3, expected 0",
    ),
    "visibility unlike the circuit's": (
        with_spec(input_visibility="private"),
        "slice 1: input 'a' is public, its circuit's is private",
    ),
    # (d) wires
    "backward wire": (backward_wire, "the wire of 'y' from slice 2 to 1 does not point forward"),
    "wire within a slice": (with_wires(wire("b", (1, 0), (1, 0)), B, S), "not point forward"),
    "wire from nowhere": (with_wires(wire("a", (0, 9), (1, 0)), B, S), "2 outputs, no 9"),
    "wire to nowhere": (with_wires(A, B, wire("s", (0, 1), (2, 9))), "3 inputs, no 9"),
    "wire to no slice": (with_wires(A, B, wire("s", (0, 1), (9, 0))), "there is no slice 9"),
    "crossed wires": (with_wires(A, replace(B, target=S.target), S), "tensor is 'b' at one end"),
    "misnamed wire": (with_wires(replace(A, tensor="b"), B, S), "tensor is 'b' at one end and 'a'"),
    "re-ordered wires": (with_wires(A, S, B), "not in the order of their targets"),
    "scale mismatch on a wire": (
        with_port(1, "inputs", 0, scale=9),
        "the wire of 'a' from slice 0 to 1: scale is 7 at one end and 9 at the other",
    ),
    "shape mismatch on a wire": (
        with_port(1, "inputs", 0, shape=(3, 1)),
        "shape is (1, 3) at one end and (3, 1) at the other",
    ),
    # (e) model inputs and outputs
    "scale mismatch between readers": (
        with_port(2, "inputs", 2, scale=8),
        "model input 'x': scale is 7 at one end and 8 at the other",
    ),
    "misnamed model input": (with_input(tensor="z"), "model input 'z': tensor is 'z'"),
    "misshapen model input": (with_input(shape=(2, 2)), "model input 'x': shape is (2, 2)"),
    "model input of no slice": (with_input(ports=(PortRef(7, 0),)), "there is no slice 7"),
    "misnamed model output": (with_output(tensor="z"), "model output 'z': tensor is 'z'"),
    "misshapen model output": (with_output(shape=()), "model output 'y': shape is ()"),
    "model output of no port": (with_output(ports=(PortRef(2, 1),)), "1 outputs, no 1"),
    "model output of two ports": (
        with_output(ports=(PortRef(2, 0), PortRef(2, 0))),
        "model output 'y' has 2 ports; one slice produces it",
    ),
    "model output twice": (two_outputs, "model output 'y' is listed twice"),
    # (f) fed once, read, produced once
    "two wires to one input": (with_wires(A, B, B, S), "slice 2: input 'b' is fed 2 times"),
    "input read twice": (with_input(ports=(PortRef(0, 0),) * 2), "input 'x' is fed 2 times"),
    "unfed input": (with_wires(A, B), "slice 2: input 's' is fed 0 times, expected once"),
    "dropped reader": (with_input(ports=(PortRef(0, 0),)), "slice 2: input 'x' is fed 0 times"),
    "unread output": (unread_output, "slice 2: output 'y' is read by no wire and no model output"),
    "tensor produced twice": (renamed, "tensor 'x' is produced twice"),
    # (g) heads
    "head of an inner tensor": (
        with_head(source="b"),
        "head 'p' is a function of 'b', no proved output",
    ),
    "head along no axis": (with_head(axis=1), "head 'p': 'y' has no axis 1"),
    "argmax of a scalar": (
        lambda s: with_head(function="ArgMax", last=True, shape=())(scalar_output(s)),
        "head 'p': 'y' has no axis 0",
    ),
    "head with other values": (with_head(shape=(3,)), "head 'p' has 3 values, expected 2"),
    "argmax of every element": (
        with_head(function="ArgMax"),
        "head 'p' has 2 values, expected 1",
    ),
    "head named as an output": (with_head(tensor="y"), "'y' names two tensors of the model"),
    "head named as an input": (with_head(tensor="x"), "'x' names two tensors of the model"),
}


@pytest.mark.parametrize(("break_it", "message"), ILL_FORMED.values(), ids=ILL_FORMED)
def test_an_ill_formed_statement_is_refused(
    break_it: Callable[[Statement], Statement], message: str
) -> None:
    with pytest.raises(StatementError, match=re.escape(message)):
        load(raw(break_it(HONEST)))


def test_scales_may_grow_as_far_as_a_multiplier_holds() -> None:
    spec = replace(SPEC, input_scale=7, param_scale=30, scale_rebase_multiplier=2)
    assert load(raw(replace_slice(HONEST, 1, spec=spec))).slices[1].spec == spec


def test_a_scalar_has_a_sigmoid() -> None:
    statement = with_head(function="Sigmoid", shape=())(scalar_output(HONEST))
    assert load(raw(statement)).heads[0].shape == ()


def test_dump_refuses_what_load_would_refuse() -> None:
    with pytest.raises(StatementError, match="does not point forward"):
        dump(backward_wire(HONEST))
