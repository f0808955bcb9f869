"""Rule (4): settings, key and proof of a slice that are not what the statement pins."""

import re

import pytest
from cheating import (
    HONEST,
    Attack,
    bundle,
    edit_proof,
    edit_settings,
    field,
    instance,
    never,
    other_model,
    run_arg,
    same_settings,
    several,
)
from honest_chain import Example
from msgspec.structs import replace

from zkprep.claims.felts import MODULUS, encode
from zkprep.errors import ProofRejected, StatementError, VerificationError


def _says_that_it_descends(example: Example) -> Example:
    """A statement by which slice 1 reads scale 7 at scale 5."""
    spec = replace(example.claim.slices[1].spec, input_scale=5, descents=(2,))
    return example.with_slice(1, spec=spec)


def test_a_descent_that_the_settings_agree_with_passes() -> None:
    agreeing = several(
        run_arg("input_scale", 5), field("model_input_scales", [5]), _says_that_it_descends
    )
    example = agreeing(HONEST)
    assert example.verify().digest != HONEST.verify().digest


def _says_that_it_brings_down(example: Example) -> Example:
    """A statement by which slice 1 hands scale 7 on of what its circuit divides to 14."""
    spec = replace(example.claim.slices[1].spec, scale_rebase_multiplier=2, exits=(7,))
    return example.with_slice(1, spec=spec)


def test_an_exit_that_the_settings_agree_with_passes() -> None:
    agreeing = several(
        run_arg("scale_rebase_multiplier", 2),
        field("model_output_scales", [14]),
        _says_that_it_brings_down,
    )
    example = agreeing(HONEST)
    assert example.verify().digest != HONEST.verify().digest


REFUSED: dict[str, tuple[Attack, type[VerificationError], str]] = {
    # (4) files
    "swapped slices": (bundle(0, 2, 1), ProofRejected, "slice 1: settings.json is not the pinned"),
    "duplicated slice": (
        bundle(0, 1, 1),
        ProofRejected,
        "slice 2: settings.json is not the pinned",
    ),
    "key of another slice": (
        lambda e: e.with_files(1, vk=e.bundle[0].vk),
        ProofRejected,
        "slice 1: vk is not the pinned one: sha256 ",
    ),
    "another model's slice": (other_model, ProofRejected, "slice 1: vk is not the pinned one"),
    "empty key": (
        lambda e: e.with_files(2, vk=b""),
        ProofRejected,
        "slice 2: vk is not the pinned",
    ),
    "settings changed after proving": (
        lambda e: e.with_files(1, settings=e.bundle[1].settings.replace(b"7", b"9", 1)),
        ProofRejected,
        "slice 1: settings.json is not the pinned one",
    ),
    # (4) settings
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
    "parameters hashed": (
        run_arg("param_visibility", {"Hashed": {"hash_is_public": True, "outlets": []}}),
        StatementError,
        "slice 1: unsound settings: parameters are {'Hashed'",
    ),
    "input scale": (
        run_arg("input_scale", 9),
        StatementError,
        "slice 1: the settings' input_scale is 9, the statement says 7",
    ),
    "constants' scale": (run_arg("param_scale", 1), StatementError, "param_scale is 1"),
    "rebase multiplier": (
        run_arg("scale_rebase_multiplier", 4),
        StatementError,
        "scale_rebase_multiplier is 4",
    ),
    "lookup range": (
        run_arg("lookup_range", [-2, 2]),
        StatementError,
        "lookup_range is (-2, 2), the statement says (-1000, 1000)",
    ),
    "rows": (run_arg("logrows", 11), StatementError, "logrows is 11, the statement says 10"),
    "inner columns": (run_arg("num_inner_cols", 3), StatementError, "num_inner_cols is 3"),
    "base": (
        run_arg("decomp_base", 2),
        StatementError,
        "decomp_base is 2, the statement says 1000",
    ),
    "legs": (run_arg("decomp_legs", 9), StatementError, "decomp_legs is 9, the statement says 2"),
    "private inputs": (
        run_arg("input_visibility", "Private"),
        StatementError,
        "neither the circuit nor a verifier, who does not see them, checks private inputs",
    ),
    "hashed outputs": (
        run_arg("output_visibility", {"Hashed": {"hash_is_public": True, "outlets": []}}),
        StatementError,
        "output_visibility is {'Hashed'",
    ),
    "boundary checks unlike the statement": (
        run_arg("ignore_range_check_inputs_outputs", False),
        StatementError,
        "ignore_range_check_inputs_outputs is False, the statement says True",
    ),
    "integer constants unlike the statement": (
        run_arg("rebase_frac_zero_constants", True),
        StatementError,
        "rebase_frac_zero_constants is True, the statement says False",
    ),
    "input scales": (field("model_input_scales", [9]), StatementError, "model_input_scales is [9]"),
    "descent of a circuit that takes its input as it is": (
        several(run_arg("input_scale", 5), _says_that_it_descends),
        StatementError,
        "slice 1: the settings' model_input_scales is [7], the statement says [5]",
    ),
    "descent of a circuit for another scale": (
        several(field("model_input_scales", [5]), _says_that_it_descends),
        StatementError,
        "slice 1: the settings' input_scale is 7, the statement says 5",
    ),
    "exit of a circuit that brings nothing down": (
        several(run_arg("scale_rebase_multiplier", 2), _says_that_it_brings_down),
        StatementError,
        "slice 1: the settings' model_output_scales is [7], the statement says [14]",
    ),
    "output scales": (
        field("model_output_scales", [9]),
        StatementError,
        "slice 1: the settings' model_output_scales is [9], the statement says [7]",
    ),
    "scale of no tensor": (
        field("model_input_scales", [7, 7]),
        StatementError,
        "model_input_scales is [7, 7], the statement says [7]",
    ),
    "shapes": (
        field("model_instance_shapes", [[3, 1], [1, 3]]),
        StatementError,
        "model_instance_shapes is [[3, 1], [1, 3]], the statement says [[1, 3], [1, 3]]",
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
    "another prover's settings": (
        field("version", "22.0.0"),
        StatementError,
        "version is '22.0.0', the statement says '23.0.5'",
    ),
    "settings with a time": (
        same_settings(lambda text: text.replace('"timestamp":0', '"timestamp":1')),
        StatementError,
        "slice 1: the settings are not in canonical form",
    ),
    "settings with white space": (
        same_settings(lambda text: text.replace(":", ": ", 1)),
        StatementError,
        "slice 1: the settings are not in canonical form",
    ),
    "settings that say Freivalds twice": (
        same_settings(
            lambda text: text.replace('"epsilon"', '"disable_freivalds":false,"epsilon"', 1)
        ),
        StatementError,
        "slice 1: the settings are not in canonical form",
    ),
    "settings that are no settings": (
        same_settings(lambda text: "{}"),
        StatementError,
        "slice 1: settings are not EZKL settings",
    ),
    "settings that are not UTF-8": (
        lambda e: e.with_settings(1, e.bundle[1].settings.replace(b"batch", b"b\xfftch")),
        StatementError,
        "slice 1: ",
    ),
    "settings nested deeply": (
        same_settings(lambda text: text.replace("null", "[" * 100_000, 1)),
        StatementError,
        "slice 1: ",
    ),
    # (4) proof files
    "extra instance": (
        edit_proof(1, lambda d: d["instances"][0].append(encode(1))),
        ProofRejected,
        "slice 1: the proof has 7 instances, expected 6",
    ),
    "missing instance": (
        edit_proof(1, lambda d: d["instances"][0].pop()),
        ProofRejected,
        "slice 1: the proof has 5 instances, expected 6",
    ),
    "second instance column": (
        edit_proof(1, lambda d: d["instances"].append([])),
        ProofRejected,
        "slice 1: proof.json is not a proof: Expected `array` of length <= 1",
    ),
    "no instance column": (
        edit_proof(1, lambda d: d["instances"].clear()),
        ProofRejected,
        "slice 1: proof.json is not a proof: Expected `array` of length >= 1",
    ),
    "instance beyond the modulus": (
        instance(1, 0, (MODULUS + 6).to_bytes(32, "little").hex()),
        ProofRejected,
        "slice 1: instance 0 is not canonical: a field element is below the field's modulus",
    ),
    "instance in upper case": (
        instance(0, 1, encode(-4).upper()),
        ProofRejected,
        "slice 0: instance 1 is not canonical: a field element is 64 lower-case hex digits",
    ),
    "instance with 0x": (instance(0, 1, "0x" + encode(-4)), ProofRejected, "instance 1 is not"),
    "short instance": (instance(0, 3, "46"), ProofRejected, "slice 0: instance 3 is not canonical"),
    "instance as a number": (instance(0, 3, 70), ProofRejected, "Expected `str`, got `int`"),
    "instance in other digits": (
        instance(0, 3, "\N{FULLWIDTH DIGIT ZERO}" * 64),
        ProofRejected,
        "slice 0: instance 3 is not canonical",
    ),
    "proof with trailing bytes": (
        edit_proof(2, lambda d: d["proof"].append(0)),
        ProofRejected,
        "slice 2: the proof has 33 bytes, expected 32",
    ),
    "proof truncated": (
        edit_proof(2, lambda d: d["proof"].pop()),
        ProofRejected,
        "slice 2: the proof has 31 bytes, expected 32",
    ),
    "proof of numbers beyond a byte": (
        edit_proof(2, lambda d: d["proof"].__setitem__(0, 256)),
        ProofRejected,
        "slice 2: proof.json is not a proof: Expected `int` <= 255",
    ),
    "proof as hex": (
        edit_proof(2, lambda d: d.update(proof=d["hex_proof"])),
        ProofRejected,
        "slice 2: proof.json is not a proof: Expected `array`, got `str`",
    ),
    "proof only where it is not read": (
        edit_proof(2, lambda d: d.pop("proof")),
        ProofRejected,
        "slice 2: proof.json is not a proof: Object missing required field `proof`",
    ),
    "empty proof file": (
        lambda e: e.with_files(0, proof=b""),
        ProofRejected,
        "slice 0: proof.json is not a proof: ",
    ),
}


@pytest.mark.parametrize(("attack", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_the_files_are_refused_before_any_proof_is_checked(
    attack: Attack, error: type[VerificationError], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        attack(HONEST).verify(never)
