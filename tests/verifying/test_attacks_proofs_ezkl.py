"""Attacks on proofs, values and SRS of real EZKL proofs, each with the error it must raise."""

import pytest
from cheating import (
    Attack,
    claimed,
    edit_proof,
    flipped,
    instance,
    permuted,
    proved,
    proved_twice,
    said_to_be_the_ceremonys,
    second_encoding,
    several,
    small_srs,
    splice,
    twins_proof,
)
from honest_chain import Example
from real_attacks import REJECTED, Table, refused
from real_chain import BACKEND

from zkprep.backends.srs import CEREMONY_VERIFIER, generate, verifier_file
from zkprep.claims.felts import MODULUS, encode
from zkprep.claims.points import srs_identity
from zkprep.errors import LinkMismatch, ProofRejected, UntrustedSrs, VerificationError

pytestmark = pytest.mark.ezkl


PROOFS: Table = {
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
        "slice 1: proof.json is not a proof",
    ),
    "instance beyond the modulus": (
        instance(1, 0, (MODULUS + 6).to_bytes(32, "little").hex()),
        ProofRejected,
        "slice 1: instance 0 is not canonical: a field element is below the field's modulus",
    ),
    "instance in upper case": (
        instance(0, 1, encode(-4).upper()),
        ProofRejected,
        "slice 0: instance 1 is not canonical",
    ),
    "truncated proof": (
        edit_proof(2, lambda d: d["proof"].pop()),
        ProofRejected,
        "slice 2: the proof has ",
    ),
    "trailing bytes": (
        edit_proof(1, lambda d: d["proof"].append(0)),
        ProofRejected,
        "slice 1: the proof has ",
    ),
    "empty proof": (
        edit_proof(0, lambda d: d["proof"].clear()),
        ProofRejected,
        "slice 0: the proof has 0 bytes",
    ),
    "endless proof file": (
        lambda e: e.with_files(1, proof=e.bundle[1].proof + b" " * 10**6),
        ProofRejected,
        "slice 1: proof.json has ",
    ),
    "proof nested deeply": (
        lambda e: e.with_files(1, proof=b'{"protocol":' + b"[" * 30_000),
        ProofRejected,
        "slice 1: proof.json is not a proof",
    ),
    # (4) the prover's own check
    "proof of zeros": (
        edit_proof(0, lambda d: d.update(proof=[0] * len(d["proof"]))),
        ProofRejected,
        f"slice 0: {REJECTED}",
    ),
    "bit flipped at the proof's beginning": (
        flipped(0, 0.0),
        ProofRejected,
        f"slice 0: {REJECTED}",
    ),
    "bit flipped within the proof": (flipped(1, 0.7), ProofRejected, f"slice 1: {REJECTED}"),
    "bit flipped at the proof's end": (flipped(2, 1.0), ProofRejected, f"slice 2: {REJECTED}"),
    "point in a second encoding": (second_encoding(0), ProofRejected, f"slice 0: {REJECTED}"),
    "proof bytes of another run": (twins_proof(1), ProofRejected, f"slice 1: {REJECTED}"),
    "edited output": (instance(2, 8, encode(91)), ProofRejected, f"slice 2: {REJECTED}"),
    "input edited for all who read it": (
        several(instance(0, 0, encode(4)), instance(2, 4, encode(4))),
        ProofRejected,
        f"slice 0: {REJECTED}",
    ),
    "tensor edited at both ends of its wire": (
        several(instance(0, 4, encode(7)), instance(1, 0, encode(7))),
        ProofRejected,
        f"slice 0: {REJECTED}",
    ),
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
    "permuted tensor on a wire": (
        permuted,
        LinkMismatch,
        "the wire of 'a' from slice 0 to 1: element 0 is 6 at its source, -8 at its target",
    ),
    "sign flipped on a wire": (
        proved(1, 0, -6),
        LinkMismatch,
        "element 0 is 6 at its source, -6 at its target",
    ),
    "other value on the skip link": (
        proved(2, 3, 75),
        LinkMismatch,
        "the wire of 's' from slice 0 to 2: element 0 is 74 at its source, 75 at its target",
    ),
    "edited instance on a wire": (
        instance(1, 4, encode(1)),
        LinkMismatch,
        "the wire of 'b' from slice 1 to 2: element 1 is 1 at its source, 0 at its target",
    ),
    "values beyond the range, proved by EZKL": (
        proved_twice(3, 1 << 30),
        LinkMismatch,
        "slice 0: instance 3 is 1073741824, outside the circuit's range -999999 to 999999",
    ),
    "values that wrap in the field, proved by EZKL": (
        proved_twice(3, -(MODULUS // 2)),
        LinkMismatch,
        f"slice 0: instance 3 is -{MODULUS // 2}, outside the circuit's range",
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
    # (7)
    "test SRS not allowed": (
        lambda e: e.with_policy(allow_test_srs=False),
        UntrustedSrs,
        "slice 0 was proved with a test SRS: whoever made it can forge proofs",
    ),
    "test SRS passed off as the ceremony's": (
        said_to_be_the_ceremonys(None),
        UntrustedSrs,
        "slice 0: the SRS is ",
    ),
    "ceremony's SRS claimed for proofs under a test one": (
        said_to_be_the_ceremonys(srs_identity(CEREMONY_VERIFIER)),
        ProofRejected,
        f"slice 0: {REJECTED}",
    ),
    "ceremony's file where the test SRS is pinned": (
        small_srs(lambda _: CEREMONY_VERIFIER),
        UntrustedSrs,
        "slice 0: the SRS is ",
    ),
    "test SRS missing": (
        small_srs(lambda _: b""),
        UntrustedSrs,
        "slice 0: the test SRS for 2**10 rows is missing",
    ),
    "generator of G2 replaced": (
        small_srs(lambda s: s[:-256] + s[-128:] + s[-128:]),
        UntrustedSrs,
        "slice 0: the SRS is ",
    ),
    "generator of G1 replaced": (
        small_srs(lambda s: s[:4] + s[68:132] + s[68:]),
        UntrustedSrs,
        "slice 0: the SRS is ",
    ),
}


@pytest.mark.parametrize(("attack", "error", "message"), PROOFS.values(), ids=PROOFS)
def test_an_attack_on_proofs_values_or_srs(
    opened: Example, attack: Attack, error: type[VerificationError], message: str
) -> None:
    refused(attack(opened), error, message)


def test_another_test_srs(opened: Example, kept_cache: object) -> None:
    other = verifier_file(generate(6, BACKEND))
    refused(small_srs(lambda _: other)(opened), UntrustedSrs, "slice 0: the SRS is ")
