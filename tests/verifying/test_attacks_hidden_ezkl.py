"""Attacks on hidden tensors of real EZKL proofs, each with the error it must raise."""

import json

import msgspec
import pytest
from cheating import (
    Attack,
    claimed,
    edit_proof,
    edit_settings,
    field,
    flipped,
    instance,
    permuted,
    run_arg,
    splice,
)
from honest_chain import Example, replace_port
from real_attacks import REJECTED, Table, refused

from zkprep.claims.felts import encode
from zkprep.claims.points import G1_BYTES
from zkprep.errors import (
    LinkMismatch,
    ProofRejected,
    StatementError,
    VerificationError,
)

pytestmark = pytest.mark.ezkl


def points(document: dict[str, list[int]], first: int, stop: int) -> list[int]:
    return document["proof"][first * G1_BYTES : stop * G1_BYTES]


def swapped_commitments(document: dict[str, list[int]]) -> None:
    document["proof"][: 2 * G1_BYTES] = points(document, 1, 2) + points(document, 0, 1)


def pasted(example: Example) -> Example:
    """The middle of another run, under this run's commitments: every link is equal."""
    mine = json.loads(example.bundle[1].proof)
    spliced = splice(1)(example)
    paste = points(mine, 0, 2)
    return edit_proof(1, lambda d: d["proof"].__setitem__(slice(0, 2 * G1_BYTES), paste))(spliced)


def unchecked(example: Example) -> Example:
    spec = msgspec.structs.replace(example.claim.slices[0].spec, checks_boundary=False)
    return example.with_slice(0, spec=spec)


HIDDEN: Table = {
    "first slice of another run": (
        splice(0),
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: the commitment is ",
    ),
    "middle slice of another run": (
        splice(1),
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: the commitment is ",
    ),
    "last slice of another run": (
        splice(2),
        LinkMismatch,
        "the wire of 'b' from slice 1 to 2: the commitment is ",
    ),
    "permuted tensor on a committed wire": (
        permuted,
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: the commitment is ",
    ),
    "commitments of input and output swapped": (
        edit_proof(1, swapped_commitments),
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: the commitment is ",
    ),
    "commitments pasted over another run's proof": (
        pasted,
        ProofRejected,
        f"slice 1: {REJECTED}",
    ),
    "commitment flipped": (flipped(0, 0.0), LinkMismatch, "the wire of 'a'"),
    "another model's proof": (
        lambda e: e.with_files(1, proof=e.foreign().proof),
        ProofRejected,
        f"slice 1: {REJECTED}",
    ),
    "edited output": (instance(2, 0, encode(17)), ProofRejected, f"slice 2: {REJECTED}"),
    "instance where there is none": (
        edit_proof(1, lambda d: d["instances"][0].append(encode(1))),
        ProofRejected,
        "slice 1: the proof has 1 instances, expected 0",
    ),
    "committed input said to begin elsewhere": (
        lambda e: e.anchored(replace_port(e.claim, 1, "inputs", 0, start=1)),
        StatementError,
        "slice 1: input 'a' starts at point 1, expected 0",
    ),
    "private input that no circuit checks": (
        unchecked,
        StatementError,
        "slice 0: its inputs are private and its circuit does not check their range",
    ),
    "settings that check no boundary": (
        edit_settings(0, lambda d: d["run_args"].update(ignore_range_check_inputs_outputs=True)),
        StatementError,
        "neither the circuit nor a verifier, who does not see them, checks private inputs",
    ),
    "settings that commit to nothing": (
        field("module_sizes", {"polycommit": [], "poseidon": [0, [0]]}),
        StatementError,
        "slice 1: the settings' committed sizes is [], the statement says [3, 3]",
    ),
    "settings with a private input for a committed one": (
        run_arg("input_visibility", "Private"),
        StatementError,
        "neither the circuit nor a verifier, who does not see them, checks private inputs",
    ),
    "claim about the private input": (
        claimed(x=[3, -4, 5]),
        LinkMismatch,
        "nothing is proved of 'x', only of 'y'",
    ),
    "trailing bytes": (
        edit_proof(1, lambda d: d["proof"].append(0)),
        ProofRejected,
        "slice 1: the proof has ",
    ),
}


@pytest.mark.parametrize(("attack", "error", "message"), HIDDEN.values(), ids=HIDDEN)
def test_an_attack_on_a_hidden_chain(
    hidden: Example, attack: Attack, error: type[VerificationError], message: str
) -> None:
    refused(attack(hidden), error, message)
