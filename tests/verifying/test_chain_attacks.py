"""Every rule of chain.verify but (4), and the prover's own check: attacks by name."""

import json
import re
from dataclasses import replace

import msgspec
import pytest
from cheating import (
    HONEST,
    UNDER_TEST_SRS,
    Attack,
    bundle,
    ceremony,
    claimed,
    edit_proof,
    expecting,
    instance,
    never,
    permuted,
    proved,
    splice,
    srs_passed_off,
    under_test_srs,
)
from honest_chain import TEST_SRS, check, replace_port, srs_file

from zkprep.claims.felts import MODULUS, encode
from zkprep.errors import (
    LinkMismatch,
    ProofRejected,
    StatementError,
    UntrustedSrs,
    VerificationError,
)

TAU_AT_HAND = srs_file("another ceremony")
ALL_ZERO = "0" * 64

# What the rules refuse before any proof is checked.
REFUSED: dict[str, tuple[Attack, type[VerificationError], str]] = {
    # (1), (2)
    "statement with white space": (
        lambda e: replace(e, statement=e.statement.replace(b",", b", ", 1)),
        StatementError,
        "not in canonical form",
    ),
    "statement of another preparation": (
        lambda e: replace(e, statement=UNDER_TEST_SRS.statement),
        StatementError,
        f"expected {HONEST.policy.expected}",
    ),
    "statement with scales unlike along a wire": (
        lambda e: e.anchored(replace_port(e.claim, 1, "inputs", 0, scale=9)),
        StatementError,
        "the wire of 'a' from slice 0 to 1: scale is 7 at one end and 9 at the other",
    ),
    "key unlike the rebuilt one": (
        expecting(1, vk=ALL_ZERO),
        StatementError,
        "not the statement rebuilt from the model: slices[1].vk is ",
    ),
    "proof size unlike the rebuilt one": (
        expecting(2, proof_bytes=64),
        StatementError,
        "slices[2].proof_bytes is 32, not 64",
    ),
    # (3)
    "dropped slice": (bundle(0, 1), ProofRejected, "there are 2 proofs for 3 slices"),
    "added slice": (bundle(0, 1, 2, 2), ProofRejected, "there are 4 proofs for 3 slices"),
    "no slice": (bundle(), ProofRejected, "there are 0 proofs for 3 slices"),
    # (5)
    "first slice of another run": (
        splice(0),
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: element 0 is 2 at its source, 6 at its target",
    ),
    "middle slice of another run": (
        splice(1),
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: element 0 is 6 at its source, 2 at its target",
    ),
    "last slice of another run": (splice(2), LinkMismatch, "the wire of 'b' from slice 1 to 2"),
    "other value on the skip link": (
        proved(2, 3, 75),
        LinkMismatch,
        "the wire of 's' from slice 0 to 2: element 0 is 74 at its source, 75 at its target",
    ),
    "sign flipped on a wire": (
        proved(1, 0, -6),
        LinkMismatch,
        "element 0 is 6 at its source, -6 at its target",
    ),
    "permuted tensor on a wire": (
        permuted,
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: element 0 is 6 at its source, -8 at its target",
    ),
    "edited instance on a wire": (
        instance(1, 4, encode(1)),
        LinkMismatch,
        "the wire of 'b' from slice 1 to 2: element 1 is 1 at its source, 0 at its target",
    ),
    "input beyond the range": (
        proved(0, 0, 10**6),
        LinkMismatch,
        "slice 0: instance 0 is 1000000, outside the circuit's range -999999 to 999999",
    ),
    "input that wraps in the field": (
        proved(0, 0, -(MODULUS // 2)),
        LinkMismatch,
        f"slice 0: instance 0 is -{MODULUS // 2}, outside the circuit's range",
    ),
    "output beyond the range": (
        proved(2, 8, -(10**6)),
        LinkMismatch,
        "slice 2: instance 8 is -1000000, outside the circuit's range",
    ),
    # (6)
    "readers of an input disagree": (
        proved(2, 4, 4),
        LinkMismatch,
        "model input 'x': element 0 is 3 in slice 0, 4 in slice 2",
    ),
    "claimed output differs": (
        claimed(y=[90, 71]),
        LinkMismatch,
        "'y': element 1 is 70 in the proof, 71 in the claim",
    ),
    "claimed input differs": (
        claimed(x=[3, -4, 5, -70]),
        LinkMismatch,
        "'x': element 3 is 70 in the proof, -70 in the claim",
    ),
    "claimed output is longer": (
        claimed(y=[90, 70, 0]),
        LinkMismatch,
        "'y' has 2 values in the proof, 3 in the claim",
    ),
    "claim about an inner tensor": (
        claimed(b=[6, 0, 10]),
        LinkMismatch,
        "nothing is proved of 'b', only of 'x', 'y'",
    ),
    # (7)
    "test SRS not allowed": (
        under_test_srs(TEST_SRS, allowed=False),
        UntrustedSrs,
        "slice 0 was proved with a test SRS: whoever made it can forge proofs",
    ),
    "test SRS passed off as the ceremony's": (
        srs_passed_off,
        UntrustedSrs,
        "slice 0: the SRS is ",
    ),
    "test SRS at hand for the ceremony's": (
        ceremony(TEST_SRS),
        UntrustedSrs,
        "slice 0: the SRS file at hand is not the ceremony's",
    ),
    "no SRS at hand": (ceremony(None), UntrustedSrs, "the SRS file at hand is not the ceremony's"),
    "another test SRS": (under_test_srs(TAU_AT_HAND), UntrustedSrs, "slice 0: the SRS is "),
    "test SRS missing": (
        under_test_srs(b""),
        UntrustedSrs,
        "slice 0: the test SRS for 2**10 rows is missing or not the small file of 516 bytes",
    ),
    "test SRS that says it has more rows": (
        under_test_srs((60).to_bytes(4, "little") + TEST_SRS[4:]),
        UntrustedSrs,
        "missing or not the small file",
    ),
    "SRS identity of another slice": (
        lambda e: e.with_slice(
            2, srs=msgspec.structs.replace(e.claim.slices[2].srs, identity=ALL_ZERO)
        ),
        UntrustedSrs,
        f"expected {ALL_ZERO}",
    ),
}

# What only the prover's own check can tell.
REJECTED: dict[str, tuple[Attack, str]] = {
    "edited output": (instance(2, 8, encode(91)), "slice 2: the proof is not valid"),
    "edited input": (
        lambda e: instance(2, 4, encode(4))(instance(0, 0, encode(4))(e)),
        "slice 0: the proof is not valid",
    ),
    "flipped bit of a proof": (
        edit_proof(1, lambda d: d["proof"].__setitem__(7, d["proof"][7] ^ 1)),
        "slice 1: the proof is not valid",
    ),
    "proof of another slice": (
        edit_proof(1, lambda d: d.update(proof=json.loads(HONEST.bundle[0].proof)["proof"])),
        "slice 1: the proof is not valid",
    ),
    "proof under a test SRS": (
        lambda e: e.with_files(1, proof=UNDER_TEST_SRS.bundle[1].proof),
        "slice 1: the proof is not valid",
    ),
}


@pytest.mark.parametrize(("attack", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_the_attack_is_refused_before_any_proof_is_checked(
    attack: Attack, error: type[VerificationError], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        attack(HONEST).verify(never)


@pytest.mark.parametrize(("attack", "message"), REJECTED.values(), ids=REJECTED)
def test_the_attack_is_rejected_by_the_prover(attack: Attack, message: str) -> None:
    attack(HONEST).verify(lambda obligations: None)
    with pytest.raises(ProofRejected, match=re.escape(message)):
        attack(HONEST).verify(check)
