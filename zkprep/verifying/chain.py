"""Do these proofs prove this statement? Bytes in, verdict out: no files, no processes.

The rules are numbered in `verify` and the code carries the numbers; their reasons are in
docs/soundness.md. The prover's own check of the proofs is passed in and comes last: it is slow, and
what it is given has by then been pinned byte by byte.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zkprep.claims.felts import dequantise, quantise
from zkprep.claims.heads import describe, evaluate
from zkprep.claims.points import G1_BYTES
from zkprep.claims.statement import Port, PortRef, Statement, digest, first_difference, load
from zkprep.claims.wellformed import extent
from zkprep.errors import InputError, LinkMismatch, ProofRejected, StatementError
from zkprep.verifying.evidence import Evidence, SliceFiles, open_slice
from zkprep.verifying.trust import SrsFiles, trusted_srs
from zkprep.verifying.verdict import Derived, Obligation, Policy, ProofChecker, Tensor, Verdict


def verify(
    statement: bytes,
    bundle: Sequence[SliceFiles],
    srs: SrsFiles,
    policy: Policy,
    check: ProofChecker,
) -> Verdict:
    """Return what the proofs prove, or raise.

    (1) The statement is well-formed: every slice input is a model input or the target of exactly
        one wire; wires point forward; ports tile the instances and the commitments with no gap;
        scales agree along each wire; what nobody sees is checked by a circuit.
    (2) It is the expected one.
    (3) There is one proof per slice and no other.
    (4) Each proof is valid for the pinned verification key and settings; the settings agree with
        the statement; Freivalds is off, parameters are fixed; the number of instances is exact.
    (5) Every wire carries the same integers at both ends or, where they are committed, the same
        commitments; every public value is within the range of the circuit's own range checks.
    (6) All slices that read a model input read the same values, and the model's inputs and outputs
        are the values the caller was told.
    (7) The SRS is the ceremony's, or the caller allowed a test SRS; either way the pinned one.

    Args:
        statement: statement.json (untrusted).
        bundle: the files of each slice, in order (untrusted).
        srs: the SRS files (untrusted).
        policy: what the caller relies on (trusted).
        check: the prover's check of proofs (trusted); called once, after every other rule.

    Raises:
        StatementError: rules (1) and (2), and settings that break rule (4).
        ProofRejected: rules (3) and (4).
        LinkMismatch: rules (5) and (6).
        UntrustedSrs: rule (7).
    """
    claim = load(statement)  # (1)
    _require_expected(claim, policy.expected)  # (2)
    _require_one_proof_per_slice(claim, bundle)  # (3)
    evidence = [
        open_slice(index, piece, claim.prover, files)  # (4), all but the proofs' validity
        for index, (piece, files) in enumerate(zip(claim.slices, bundle, strict=True))
    ]
    _require_equal_wires(claim, evidence)  # (5)
    _require_in_range(claim, evidence)  # (5)
    inputs, outputs = _outer_tensors(claim, evidence)  # (6)
    _require_claimed({**inputs, **outputs}, policy.claimed)  # (6)
    trusted = trusted_srs(claim, srs, policy.ceremony, allow_test=policy.allow_test_srs)  # (7)
    check(_obligations(evidence, bundle, trusted))  # (4), the proofs' validity
    return _proved(claim, inputs, outputs)


def quantised(statement: Statement, tensor: str, values: NDArray[np.float64]) -> list[int]:
    """The integers by which a model input or output of these real values enters `Policy.claimed`.

    Raises:
        InputError: no such input or output, wrong number of values, or not finite.
    """
    ports = {outer.tensor: statement.target(outer.ports[0]) for outer in statement.inputs}
    ports |= {outer.tensor: statement.source(outer.ports[0]) for outer in statement.outputs}
    if tensor not in ports:
        raise InputError(f"the statement has no input or output '{tensor}', only {_names(ports)}")
    port = ports[tensor]
    if values.size != port.length or not np.isfinite(values).all():
        raise InputError(
            f"'{tensor}' needs {port.length} finite values, shape {list(port.shape)}; "
            f"got {values.size} of shape {list(values.shape)}"
        )
    return quantise(values, port.scale)


def _require_expected(claim: Statement, expected: str | Statement) -> None:
    """(2) The statement is the expected one."""
    found = digest(claim)
    if isinstance(expected, Statement):
        if found != digest(expected):
            difference = first_difference(claim, expected)
            raise StatementError(f"not the statement rebuilt from the model: {difference}")
    elif found != expected:
        raise StatementError(f"the statement's digest is {found}, expected {expected}")


def _require_one_proof_per_slice(claim: Statement, bundle: Sequence[SliceFiles]) -> None:
    """(3) One proof per slice and no other."""
    if len(bundle) != len(claim.slices):
        raise ProofRejected(f"there are {len(bundle)} proofs for {len(claim.slices)} slices")


def _require_equal_wires(claim: Statement, evidence: Sequence[Evidence]) -> None:
    """(5) Every wire carries the same integers, or the same commitments, at both ends."""
    for wire in claim.wires:
        source, target = claim.source(wire.source), claim.target(wire.target)
        where = f"the wire of '{wire.tensor}' from slice {wire.source.slice} to {wire.target.slice}"
        if source.visibility == "polycommit":
            here = _points(claim, evidence, wire.source, source)
            there = _points(claim, evidence, wire.target, target)
            if here != there:
                raise LinkMismatch(
                    f"{where}: the commitment is {here.hex()[:16]}... at its source, "
                    f"{there.hex()[:16]}... at its target"
                )
        else:
            sent = _values(evidence, wire.source, source)
            received = _values(evidence, wire.target, target)
            _require_equal(where, "at its source", sent, "at its target", received)


def _require_in_range(claim: Statement, evidence: Sequence[Evidence]) -> None:
    """(5) Public values are within the circuit's range, whether or not the circuit checks it."""
    for index, shown in enumerate(evidence):
        limit = claim.slices[index].spec.largest_value
        for position, value in enumerate(shown.instances):
            if abs(value) > limit:
                raise LinkMismatch(
                    f"slice {index}: instance {position} is {value}, "
                    f"outside the circuit's range -{limit} to {limit}"
                )


def _outer_tensors(
    claim: Statement, evidence: Sequence[Evidence]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(6) The model's public inputs, all readers of which have equal values, and its outputs."""
    inputs, outputs = {}, {}
    for outer in claim.inputs:
        port = claim.target(outer.ports[0])
        if port.visibility != "public":
            continue
        first, *others = [_values(evidence, ref, claim.target(ref)) for ref in outer.ports]
        for ref, other in zip(outer.ports[1:], others, strict=True):
            here, there = f"in slice {outer.ports[0].slice}", f"in slice {ref.slice}"
            _require_equal(f"model input '{outer.tensor}'", here, first, there, other)
        inputs[outer.tensor] = Tensor(outer.shape, port.scale, first)
    for outer in claim.outputs:
        port = claim.source(outer.ports[0])
        values = _values(evidence, outer.ports[0], port)
        outputs[outer.tensor] = Tensor(outer.shape, port.scale, values)
    return inputs, outputs


def _obligations(
    evidence: Sequence[Evidence], bundle: Sequence[SliceFiles], trusted: Sequence[bytes]
) -> list[Obligation]:
    """(4) What of every slice the prover has to check."""
    return [
        Obligation(index, shown.proof, files.settings, files.vk, srs)
        for index, (shown, files, srs) in enumerate(zip(evidence, bundle, trusted, strict=True))
    ]


def _proved(claim: Statement, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> Verdict:
    """What follows once every rule has been kept: a proof per slice, the links between them."""
    return Verdict(
        digest=digest(claim),
        proofs=len(claim.slices),
        links=len(claim.wires),
        inputs=inputs,
        outputs=outputs,
        test_srs=any(piece.srs.origin == "test" for piece in claim.slices),
        private=tuple(o.tensor for o in claim.inputs if o.tensor not in inputs),
        committed=sum(claim.source(w.source).visibility == "polycommit" for w in claim.wires),
        heads=_heads(claim, outputs),
    )


def _heads(claim: Statement, outputs: Mapping[str, Tensor]) -> dict[str, Derived]:
    """The heads of the proved outputs; ArgMax compares the integers themselves."""
    found = {}
    for head in claim.heads:
        source = outputs[head.source]
        if head.function == "ArgMax":
            values = np.array(source.values, dtype=object)
        else:
            values = dequantise(source.values, source.scale)
        made = evaluate(head, values.reshape(source.shape))
        found[head.tensor] = Derived(describe(head), head.shape, tuple(made.ravel().tolist()))
    return found


def _require_claimed(proved: Mapping[str, Tensor], claimed: Mapping[str, Sequence[int]]) -> None:
    """(6) The model's inputs and outputs are the values the caller was told."""
    for tensor, values in claimed.items():
        if tensor not in proved:
            raise LinkMismatch(f"nothing is proved of '{tensor}', only of {_names(proved)}")
        _require_equal(f"'{tensor}'", "in the proof", proved[tensor].values, "in the claim", values)


def _values(evidence: Sequence[Evidence], ref: PortRef, port: Port) -> tuple[int, ...]:
    return evidence[ref.slice].instances[port.start : port.start + port.length]


def _points(claim: Statement, evidence: Sequence[Evidence], ref: PortRef, port: Port) -> bytes:
    """The commitments of a port, one after the other."""
    count = extent(port, claim.slices[ref.slice].spec.logrows)
    return evidence[ref.slice].points[G1_BYTES * port.start : G1_BYTES * (port.start + count)]


def _require_equal(
    what: str, here: str, one: Sequence[int], there: str, other: Sequence[int]
) -> None:
    if len(one) != len(other):
        raise LinkMismatch(f"{what} has {len(one)} values {here}, {len(other)} {there}")
    for position, (left, right) in enumerate(zip(one, other, strict=True)):
        if left != right:
            raise LinkMismatch(f"{what}: element {position} is {left} {here}, {right} {there}")


def _names(names: Mapping[str, object]) -> str:
    return ", ".join(f"'{name}'" for name in names)
