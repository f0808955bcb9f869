"""Attacks on statements, settings and keys of real EZKL proofs, with the error each must raise."""

import pytest
from cheating import (
    Attack,
    bundle,
    circle,
    edit_settings,
    expecting,
    field,
    other_model,
    run_arg,
    same_settings,
    statement,
    wires,
)
from honest_chain import Example, honest_statement, raw, replace_port
from real_attacks import REJECTED, Table, refused

from zkprep.errors import ProofRejected, StatementError, VerificationError

pytestmark = pytest.mark.ezkl


ZERO_DIGEST = "0" * 64

FILES: Table = {
    # (1), (2)
    "statement with white space": (
        statement(lambda s: s.replace(b",", b", ", 1)),
        StatementError,
        "not in canonical form",
    ),
    "statement with an unknown field": (
        statement(lambda s: s.replace(b"{", b'{"note":1,', 1)),
        StatementError,
        "Object contains unknown field `note`",
    ),
    "statement with a field twice": (
        statement(lambda s: s.replace(b"{", b'{"prover":"ezkl 23.0.5",', 1)),
        StatementError,
        "not in canonical form",
    ),
    "statement of another run": (
        statement(lambda _: raw(honest_statement("test"))),
        StatementError,
        "the statement's digest is ",
    ),
    "re-ordered wires": (wires(0, 2, 1), StatementError, "not in the order of their targets"),
    "dropped wire": (wires(0, 1), StatementError, "slice 2: input 's' is fed 0 times"),
    "doubled wire": (wires(0, 1, 1, 2), StatementError, "slice 2: input 'b' is fed 2 times"),
    "wires in a circle": (
        circle,
        StatementError,
        "the wire of 'y' from slice 2 to 1 does not point forward",
    ),
    "scales unlike along a wire": (
        lambda e: e.anchored(replace_port(e.claim, 1, "inputs", 0, scale=9)),
        StatementError,
        "the wire of 'a' from slice 0 to 1: scale is 7 at one end and 9 at the other",
    ),
    "scales alike along a wire, and wrong": (
        lambda e: e.anchored(
            replace_port(replace_port(e.claim, 1, "inputs", 0, scale=9), 0, "outputs", 0, scale=9)
        ),
        StatementError,
        "slice 0: the settings' model_output_scales is [7, 7], the statement says [9, 7]",
    ),
    "key unlike the rebuilt one": (
        expecting(1, vk=ZERO_DIGEST),
        StatementError,
        "not the statement rebuilt from the model: slices[1].vk is ",
    ),
    "settings unlike the rebuilt ones": (
        expecting(0, settings=ZERO_DIGEST),
        StatementError,
        "not the statement rebuilt from the model: slices[0].settings is ",
    ),
    # (3)
    "dropped slice": (bundle(0, 1), ProofRejected, "there are 2 proofs for 3 slices"),
    "added slice": (bundle(0, 1, 2, 2), ProofRejected, "there are 4 proofs for 3 slices"),
    "no slice": (bundle(), ProofRejected, "there are 0 proofs for 3 slices"),
    # (4) files
    "swapped slices": (
        bundle(0, 2, 1),
        ProofRejected,
        "slice 1: settings.json is not the pinned one",
    ),
    "duplicated slice": (
        bundle(0, 1, 1),
        ProofRejected,
        "slice 2: settings.json is not the pinned one",
    ),
    "key of another slice": (
        lambda e: e.with_files(1, vk=e.bundle[0].vk),
        ProofRejected,
        "slice 1: vk is not the pinned one",
    ),
    "another model's slice": (other_model, ProofRejected, "slice 1: vk is not the pinned one"),
    "another model's proof under the pinned key": (
        lambda e: e.with_files(1, proof=e.foreign().proof),
        ProofRejected,
        f"slice 1: {REJECTED}",
    ),
    "another model's key under the honest proof": (
        lambda e: e.with_files(1, vk=e.foreign().vk),
        ProofRejected,
        "slice 1: vk is not the pinned one",
    ),
    # (4) settings
    "settings changed after proving": (
        lambda e: e.with_files(1, settings=e.bundle[1].settings.replace(b"7", b"9", 1)),
        ProofRejected,
        "slice 1: settings.json is not the pinned one",
    ),
    "Freivalds on": (
        run_arg("disable_freivalds", False),
        StatementError,
        "slice 1: unsound settings: the Freivalds einsum is on",
    ),
    "Freivalds columns": (
        edit_settings(1, lambda d: d["einsum_params"].update(total_einsum_col_size=8)),
        StatementError,
        "slice 1: unsound settings: the circuit has Freivalds einsum columns",
    ),
    "parameters not fixed": (
        run_arg("param_visibility", "Private"),
        StatementError,
        "slice 1: unsound settings: parameters are 'Private', not 'Fixed'",
    ),
    "parameters committed": (
        run_arg("param_visibility", "KZGCommit"),
        StatementError,
        "slice 1: unsound settings: parameters are 'KZGCommit', not 'Fixed'",
    ),
    "settings of another scale": (
        run_arg("input_scale", 9),
        StatementError,
        "slice 1: the settings' input_scale is 9, the statement says 7",
    ),
    "settings of another lookup range": (
        run_arg("lookup_range", [-2, 2]),
        StatementError,
        "lookup_range is (-2, 2), the statement says (-1000, 1000)",
    ),
    "settings of another shape": (
        field("model_instance_shapes", [[3, 1], [1, 3]]),
        StatementError,
        "model_instance_shapes is [[3, 1], [1, 3]], the statement says [[1, 3], [1, 3]]",
    ),
    "settings of another visibility": (
        run_arg("input_visibility", "Private"),
        StatementError,
        "neither the circuit nor a verifier, who does not see them, checks private inputs",
    ),
    "settings of other range checks": (
        run_arg("decomp_legs", 9),
        StatementError,
        "decomp_legs is 9, the statement says 2",
    ),
    "hidden hash": (
        field("module_sizes", {"polycommit": [], "poseidon": [41, [1]]}),
        StatementError,
        "number of hashes is 1, the statement says 0",
    ),
    "hidden commitment": (
        field("module_sizes", {"polycommit": [3], "poseidon": [0, [0]]}),
        StatementError,
        "committed sizes is [3], the statement says []",
    ),
    "settings with a key twice": (
        same_settings(
            lambda text: text.replace('"epsilon"', '"disable_freivalds":false,"epsilon"', 1)
        ),
        StatementError,
        "slice 1: the settings are not in canonical form",
    ),
}


@pytest.mark.parametrize(("attack", "error", "message"), FILES.values(), ids=FILES)
def test_an_attack_on_statement_settings_or_keys(
    opened: Example, attack: Attack, error: type[VerificationError], message: str
) -> None:
    refused(attack(opened), error, message)
