"""Rule (1) on tensors that a verifier does not see: private inputs, committed links.

x (private) ── slice 0 ── a (committed) ── slice 1 ── y (public)
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from honest_chain import SPEC, honest_statement, raw, replace_port, replace_slice

from zkprep.claims.claim import OuterPort, Port, PortRef, Preparation, Statement, Wire
from zkprep.claims.statement import load, summary
from zkprep.errors import StatementError

replace = msgspec.structs.replace
Edit = Callable[[Statement], Statement]
COMMIT = "polycommit"
LENGTH = 1017  # of a: with room for a repeated cell, EZKL takes two columns of 2**10 rows


def port(tensor: str, length: int, visibility: str, start: int = 0) -> Port:
    return Port(
        tensor=tensor,
        shape=(length,),
        start=start,
        length=length,
        scale=7,
        visibility=visibility,  # type: ignore[arg-type]
    )


def hidden_statement() -> Statement:
    first, second, _ = honest_statement().slices
    private = replace(SPEC, input_visibility="private", output_visibility=COMMIT)
    slices = (
        replace(
            first,
            proof_bytes=4000,
            spec=replace(private, checks_boundary=True),
            inputs=(port("x", 4, "private"),),
            outputs=(port("a", LENGTH, COMMIT),),
        ),
        replace(
            second,
            proof_bytes=4000,
            spec=replace(SPEC, input_visibility=COMMIT),
            inputs=(port("a", LENGTH, COMMIT),),
            outputs=(port("y", 2, "public"),),
        ),
    )
    return replace(
        honest_statement(),
        preparation=Preparation(passes=(), dims=(), cut=(("one",), ("two",))),
        slices=slices,
        wires=(Wire(tensor="a", source=PortRef(0, 0), target=PortRef(1, 0)),),
        inputs=(OuterPort(tensor="x", shape=(4,), ports=(PortRef(0, 0),)),),
        outputs=(OuterPort(tensor="y", shape=(2,), ports=(PortRef(1, 0),)),),
    )


def spec(index: int, **changes: Any) -> Edit:
    return lambda s: replace_slice(s, index, spec=replace(s.slices[index].spec, **changes))


def seen(index: int, side: str, visibility: str, **changes: Any) -> Edit:
    """The side's only port and its circuit get another visibility."""

    def edit(statement: Statement) -> Statement:
        name = f"{side[:-1]}_visibility"
        changed = spec(index, **{name: visibility})(statement)
        return replace_port(changed, index, side, 0, visibility=visibility, **changes)

    return edit


def both(*edits: Edit) -> Edit:
    def edit(statement: Statement) -> Statement:
        for one in edits:
            statement = one(statement)
        return statement

    return edit


def second_reader(statement: Statement) -> Statement:
    """Slice 1 reads nothing but x, too."""
    private = replace(statement.slices[0].spec, output_visibility="public")
    x = replace(statement.inputs[0], ports=(PortRef(0, 0), PortRef(1, 0)))
    a = OuterPort(tensor="a", shape=(LENGTH,), ports=(PortRef(0, 0),))
    statement = seen(0, "outputs", "public")(statement)
    changed = replace_slice(statement, 1, spec=private, inputs=(port("x", 4, "private"),))
    return replace(changed, wires=(), inputs=(x,), outputs=(*statement.outputs, a))


ILL_FORMED: dict[str, tuple[Edit, str]] = {
    "private input that no circuit checks": (
        spec(0, checks_boundary=False),
        "slice 0: its inputs are private and its circuit does not check their range",
    ),
    "committed model input": (
        seen(0, "inputs", COMMIT),
        "slice 0: output 'a' starts at point 0, expected 1: ports tile the points with no gap",
    ),
    "committed model input, tiled": (
        both(seen(0, "inputs", COMMIT), lambda s: replace_port(s, 0, "outputs", 0, start=1)),
        "model input 'x' is committed: no circuit checks its range",
    ),
    "private model input of two slices": (
        second_reader,
        "model input 'x' is private and read 2 times: nobody could tell that the values are",
    ),
    "private wire": (
        both(seen(0, "outputs", "private"), seen(1, "inputs", "private")),
        "slice 1: input 'a' of a wire is private",
    ),
    "committed at one end": (
        seen(1, "inputs", "public"),
        "slice 1: output 'y' starts at instance 0, expected 1017",
    ),
    "committed at one end, tiled": (
        both(seen(1, "inputs", "public"), lambda s: replace_port(s, 1, "outputs", 0, start=LENGTH)),
        "the wire of 'a' from slice 0 to 1: visibility is 'polycommit' at one end and 'public'",
    ),
    "committed model output": (
        seen(1, "outputs", COMMIT, start=2),
        "model output 'y' is polycommit: nothing would be claimed of it",
    ),
    "private model output": (
        seen(1, "outputs", "private"),
        "model output 'y' is private: nothing would be claimed of it",
    ),
    "commitment of another tensor": (
        lambda s: replace_port(s, 1, "inputs", 0, start=1),
        "slice 1: input 'a' starts at point 1, expected 0",
    ),
    "unequal rows along a committed wire": (
        lambda s: replace_slice(
            spec(1, logrows=11)(s), 1, srs=replace(s.slices[1].srs, logrows=11)
        ),
        "the wire of 'a' from slice 0 to 1: SRS is Srs(logrows=10",
    ),
    "unequal SRS along a committed wire": (
        lambda s: replace_slice(s, 1, srs=replace(s.slices[1].srs, identity="0" * 64)),
        "the wire of 'a' from slice 0 to 1: SRS is Srs(logrows=10",
    ),
    "proof too short for its commitments": (
        lambda s: replace_slice(s, 1, proof_bytes=127),
        "slice 1: a proof of 127 bytes has no room for 2 commitments",
    ),
    "scales that fill the field before a rebase": (
        spec(1, scale_rebase_multiplier=64, param_scale=2),
        "slice 1: scales grow to 448 before a rebase, outside 1 to 126",
    ),
    "scales that never lead to a rebase": (
        spec(1, input_scale=0, param_scale=0),
        "slice 1: scales grow to 0 before a rebase, outside 1 to 126",
    ),
    "fixed outputs": (spec(1, output_visibility="fixed"), "output 'y' is public, its circuit's"),
}


def test_hidden_tensors_are_well_formed() -> None:
    said = summary(load(raw(hidden_statement())))
    assert said.inputs == ("'x' [4] at scale 7, private",)
    assert "'a' [1017] at scale 7, polycommit" in said.slices[1]


@pytest.mark.parametrize(("edit", "message"), ILL_FORMED.values(), ids=ILL_FORMED)
def test_a_hidden_tensor_that_binds_nothing_is_refused(edit: Edit, message: str) -> None:
    with pytest.raises(StatementError, match=re.escape(message)):
        load(raw(edit(hidden_statement())))
