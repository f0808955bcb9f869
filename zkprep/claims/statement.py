"""statement.json: canonical JSON, strict loading, the digest that names what is claimed.

Canonical form: UTF-8, fields in the order `zkprep.claims.claim` declares, no white space, one
newline at the end. Loading encodes again and compares bytes, so a meaning has one text: no unknown,
missing, repeated or re-ordered field, no float, no other spelling. `sha256sum statement.json` is
the digest.

`load` and `dump` let no statement through that breaks the rules of `zkprep.claims.wellformed`. A
digest names a function, not a run: values are read from the proofs (`zkprep.verifying.chain`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from zkprep.claims import wellformed
from zkprep.claims.claim import (
    Head,
    ModelDigests,
    OuterPort,
    Port,
    PortRef,
    Preparation,
    Slice,
    Srs,
    Statement,
    Wire,
)
from zkprep.claims.heads import describe
from zkprep.errors import StatementError

__all__ = [
    "Head",
    "ModelDigests",
    "OuterPort",
    "Port",
    "PortRef",
    "Preparation",
    "Slice",
    "Srs",
    "Statement",
    "Summary",
    "Wire",
    "digest",
    "dump",
    "first_difference",
    "load",
    "summary",
]

LARGEST_STATEMENT = 1 << 24  # bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """A statement in words: `inputs`, `outputs`, `heads` and `slices` hold one line each."""

    digest: str
    model: str
    zkprep: str
    prover: str
    passes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    heads: tuple[str, ...]
    slices: tuple[str, ...]
    links: int
    test_srs: bool


def load(data: bytes) -> Statement:
    """Read statement.json.

    Args:
        data: untrusted bytes.

    Raises:
        StatementError: not canonical JSON of this format, or not well-formed.
    """
    if len(data) > LARGEST_STATEMENT:
        raise StatementError(f"the statement is longer than {LARGEST_STATEMENT} bytes")
    try:
        statement = msgspec.json.decode(data, type=Statement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StatementError(f"not a zkprep statement: {error}") from None
    if _encode(statement) != data:
        raise StatementError("not a zkprep statement: the JSON is not in canonical form")
    wellformed.check(statement)
    return statement


def dump(statement: Statement) -> bytes:
    """The bytes of statement.json.

    Raises:
        StatementError: the statement is not well-formed.
    """
    data = _encode(statement)
    load(data)
    return data


def digest(statement: Statement) -> str:
    """What `verify --expect` takes: sha256 of statement.json."""
    return sha256(_encode(statement)).hexdigest()


def first_difference(statement: Statement, other: Statement) -> str:
    """Where two statements first differ, such as "slices[1].vk is 'ab', not 'cd'", or ""."""
    found = _differences("", msgspec.to_builtins(statement), msgspec.to_builtins(other))
    return next(found, "")


def summary(statement: Statement) -> Summary:
    """What the statement claims, for a reader."""
    return Summary(
        digest=digest(statement),
        model=statement.model.original,
        zkprep=statement.zkprep,
        prover=statement.prover,
        passes=statement.preparation.passes,
        inputs=tuple(_port_line(statement.target(o.ports[0])) for o in statement.inputs),
        outputs=tuple(_port_line(statement.source(o.ports[0])) for o in statement.outputs),
        heads=tuple(map(describe, statement.heads)),
        slices=tuple(map(_slice_line, statement.slices)),
        links=len(statement.wires),
        test_srs=any(piece.srs.origin == "test" for piece in statement.slices),
    )


def _encode(statement: Statement) -> bytes:
    return msgspec.json.encode(statement, order="deterministic") + b"\n"


def _port_line(port: Port) -> str:
    seen = "" if port.visibility == "public" else f", {port.visibility}"
    return f"'{port.tensor}' {list(port.shape)} at scale {port.scale}{seen}"


def _slice_line(piece: Slice) -> str:
    inputs, outputs = (", ".join(map(_port_line, side)) for side in (piece.inputs, piece.outputs))
    spec = piece.spec
    descent = f"read at scale {spec.input_scale}, " * bool(spec.descents)
    exit_ = f"outputs divided from scale {spec.limit}, " * bool(spec.exits)
    landed = sorted({scale for _, scale in spec.landings or ()})
    inside = f"divided inside to scale {', '.join(map(str, landed))}, " * bool(landed)
    return (
        f"{inputs} -> {outputs}; {descent}{exit_}{inside}2**{spec.logrows} rows, "
        f"constants at scale {spec.param_scale}, "
        f"values up to {spec.largest_value}, {piece.srs.origin} SRS"
    )


def _differences(path: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict):
        for key in dict.fromkeys((*one, *other)):
            yield from _differences(f"{path}.{key}".lstrip("."), one.get(key), other.get(key))
    elif isinstance(one, list | tuple) and len(one) != len(other):
        yield f"{path} has {len(one)} entries, not {len(other)}"
    elif isinstance(one, list | tuple):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from _differences(f"{path}[{index}]", *pair)
    elif one != other:
        yield f"{path} is {one!r}, not {other!r}"
