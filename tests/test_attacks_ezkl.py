"""Attacks on chains of real EZKL proofs, by name, with the error each must raise.

What is told of proofs holds of those that EZKL itself made: the honest ones of two runs, of another
model, and the dishonest ones that a prover can have by running the circuits on values of its own.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from cheating import (
    Attack,
    bundle,
    claimed,
    edit_proof,
    edit_settings,
    expecting,
    field,
    instance,
    other_model,
    permuted,
    proved,
    run_arg,
    same_settings,
    splice,
)
from honest_chain import Example, honest_statement, raw, replace_port
from real_chain import (
    BACKEND,
    HIDDEN,
    HIDDEN_SPECS,
    check,
    circuit,
    hidden_chain,
    open_chain,
)

from zkprep.circuit import column_blocks, read_settings
from zkprep.claim import PortRef, Wire
from zkprep.errors import (
    LinkMismatch,
    ProofRejected,
    RangeExceeded,
    StatementError,
    UntrustedSrs,
    VerificationError,
)
from zkprep.felts import MODULUS, encode
from zkprep.points import G1_BYTES, srs_identity
from zkprep.srs import CEREMONY_VERIFIER, Srs, generate, verifier_file

pytestmark = pytest.mark.ezkl

Table = dict[str, tuple[Attack, type[VerificationError], str]]
REJECTED = "proof 'proof' is not valid"
ZERO_DIGEST = "0" * 64


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Example:
    return open_chain(tmp_path_factory.mktemp("open"), kept_srs(10))


@pytest.fixture(scope="session")
def hidden(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Example:
    return hidden_chain(tmp_path_factory.mktemp("hidden"), kept_srs(10))


def several(*attacks: Attack) -> Attack:
    """One after the other."""

    def attack(example: Example) -> Example:
        for one in attacks:
            example = one(example)
        return example

    return attack


def statement(edit: Callable[[bytes], bytes]) -> Attack:
    """Other bytes of the statement, whose digest is the one expected."""

    def attack(example: Example) -> Example:
        data = edit(example.statement)
        assert data != example.statement
        return replace(example, statement=data)

    return attack


def claim(**changes: object) -> Attack:
    """A statement that says otherwise, and a verifier who expects it."""
    return lambda e: e.anchored(msgspec.structs.replace(e.claim, **changes))


def wires(*order: int) -> Attack:
    return lambda e: claim(wires=tuple(e.claim.wires[i] for i in order))(e)


def circle(example: Example) -> Example:
    """What slice 1 reads comes from slice 2, which reads what slice 1 puts out."""
    back = Wire(tensor="y", source=PortRef(2, 0), target=PortRef(1, 0))
    return claim(wires=(back, *example.claim.wires[1:]))(example)


def flipped(index: int, place: float) -> Attack:
    """A bit of the proof, so far from its beginning (0) to its end (1)."""

    def edit(document: dict[str, list[int]]) -> None:
        document["proof"][int(place * (len(document["proof"]) - 1))] ^= 1

    return edit_proof(index, edit)


def twins_proof(index: int) -> Attack:
    """This run's values with the proof bytes of the run on another input."""

    def attack(example: Example) -> Example:
        other = json.loads(example.twin().bundle[index].proof)["proof"]
        return edit_proof(index, lambda d: d.update(proof=other))(example)

    return attack


def proved_twice(position: int, value: int) -> Attack:
    """Slices 0 and 2 on another value of x, and all else honest."""
    return several(
        lambda e: e.with_instances(0, with_value((3, -4, 5, 70), position, value)),
        lambda e: e.with_instances(
            2, [6, 0, 10, 4 + value, *with_value((3, -4, 5, 70), position, value)]
        ),
    )


def with_value(values: tuple[int, ...], position: int, value: int) -> list[int]:
    return [value if index == position else old for index, old in enumerate(values)]


def small_srs(data: Callable[[bytes], bytes]) -> Attack:
    """Another small file where the test SRS is expected."""

    def attack(example: Example) -> Example:
        files = {10: data(example.srs.test[10])}
        return replace(example, srs=replace(example.srs, test=files))

    return attack


def said_to_be_the_ceremonys(identity: str | None) -> Attack:
    """The statement says that the test SRS is the ceremony's."""

    def attack(example: Example) -> Example:
        slices = tuple(
            msgspec.structs.replace(
                piece,
                srs=msgspec.structs.replace(
                    piece.srs, origin="ceremony", identity=identity or piece.srs.identity
                ),
            )
            for piece in example.claim.slices
        )
        return claim(slices=slices)(example)

    return attack


OPEN: Table = {
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
        "input_visibility is 'Private', the statement says 'Public'",
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


HIDDEN_ATTACKS: Table = {
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
        "slice 0: the settings' ignore_range_check_inputs_outputs is True, the ",
    ),
    "settings that commit to nothing": (
        field("module_sizes", {"polycommit": [], "poseidon": [0, [0]]}),
        StatementError,
        "slice 1: the settings' committed sizes is [], the statement says [3, 3]",
    ),
    "settings with a private input for a committed one": (
        run_arg("input_visibility", "Private"),
        StatementError,
        "slice 1: the settings' input_visibility is 'Private', the statement says 'KZGCommit'",
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


def refused(example: Example, error: type[VerificationError], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)) as caught:
        example.verify(check)
    assert error is VerificationError or type(caught.value) is error


@pytest.mark.parametrize(("attack", "error", "message"), OPEN.values(), ids=OPEN)
def test_an_attack_on_an_open_chain(
    opened: Example, attack: Attack, error: type[VerificationError], message: str
) -> None:
    refused(attack(opened), error, message)


@pytest.mark.parametrize(
    ("attack", "error", "message"), HIDDEN_ATTACKS.values(), ids=HIDDEN_ATTACKS
)
def test_an_attack_on_a_hidden_chain(
    hidden: Example, attack: Attack, error: type[VerificationError], message: str
) -> None:
    refused(attack(hidden), error, message)


def test_another_test_srs(opened: Example, kept_cache: object) -> None:
    other = verifier_file(generate(6, BACKEND))
    refused(small_srs(lambda _: other)(opened), UntrustedSrs, "slice 0: the SRS is ")


def test_honest_chains_are_accepted(opened: Example, hidden: Example) -> None:
    verdict = opened.verify(check)
    assert (verdict.proofs, verdict.links, verdict.committed) == (3, 3, 0)
    assert (verdict.inputs["x"].values, verdict.outputs["y"].values) == ((3, -4, 5, 70), (90, 70))
    assert opened.twin().verify(check).outputs["y"].values == (17, 11)
    verdict = hidden.verify(check)
    assert (verdict.proofs, verdict.links, verdict.committed) == (3, 2, 2)
    assert (verdict.inputs, verdict.private) == ({}, ("x",))
    assert verdict.outputs["y"].values == (16,)
    assert hidden.twin().verify(check).outputs["y"].values == (6,)


def test_the_proof_of_a_hidden_chain_shows_its_output_alone(hidden: Example) -> None:
    shown = [json.loads(files.proof)["instances"] for files in hidden.bundle]
    assert shown == [[[]], [[]], [[encode(16)]]]


def test_a_private_input_out_of_range_cannot_be_proved_where_the_circuit_checks(
    hidden: Example, kept_srs: Callable[[int], Srs], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And can be where it does not: hence rule (1g)."""
    with pytest.raises(RangeExceeded):
        hidden.prove(0, b"", [1 << 30, 0, 0])
    folder = tmp_path_factory.mktemp("unchecked")
    spec = msgspec.structs.replace(HIDDEN_SPECS[0], checks_boundary=False)
    circuit(folder / "circuit", HIDDEN[0], spec, kept_srs(10)).proof([1 << 30, 0, 0])


def test_a_commitment_of_two_columns(
    kept_srs: Callable[[int], Srs], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Just short of a column EZKL takes two; their points begin both proofs."""
    length, folder = 1017, tmp_path_factory.mktemp("wide")
    assert column_blocks(length, 1, 10) == 2
    text = '<ir_version: 8, opset_import: ["" : 17]>\nf (float[N] x) => (float[N] y) { y = BODY }'
    bodies = ("Add(x, x)", "Neg(x)")
    specs = (
        msgspec.structs.replace(HIDDEN_SPECS[1], input_visibility="public"),
        HIDDEN_SPECS[2],
    )
    values = list(range(length))
    proofs = []
    for body, spec, given in zip(bodies, specs, (values, [2 * v for v in values]), strict=True):
        model = text.replace("BODY", body).replace("N", str(length), 2)
        made = circuit(folder / body[:3], model, spec, kept_srs(10))
        assert read_settings(made.settings).module_sizes.polycommit == [length]
        proofs.append(bytes(json.loads(made.proof(given))["proof"]))
    assert proofs[0][: 2 * G1_BYTES] == proofs[1][: 2 * G1_BYTES]
    assert proofs[0][: 3 * G1_BYTES] != proofs[1][: 3 * G1_BYTES]
