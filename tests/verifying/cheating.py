"""What a cheating prover can do to an honest chain: each function gives an attack on an Example."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from honest_chain import (
    Example,
    X,
    honest,
    instances,
    settings_bytes,
)

from zkprep.claims.claim import PortRef, Wire
from zkprep.verifying.verdict import Obligation

HONEST = honest()
UNDER_TEST_SRS = honest(origin="test")

BASE_MODULUS = 0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47

Attack = Callable[[Example], Example]


def edit_settings(index: int, edit: Callable[[dict[str, Any]], None]) -> Attack:
    """Settings changed before key generation, so that everything but the settings is consistent."""

    def attack(example: Example) -> Example:
        document = json.loads(example.bundle[index].settings)
        edit(document)
        return example.with_settings(index, settings_bytes(document))

    return attack


def run_arg(name: str, value: object) -> Attack:
    return edit_settings(1, lambda document: document["run_args"].update({name: value}))


def field(name: str, value: object) -> Attack:
    return edit_settings(1, lambda document: document.update({name: value}))


def edit_proof(index: int, edit: Callable[[dict[str, Any]], None]) -> Attack:
    """A proof.json changed after the proof was made."""

    def attack(example: Example) -> Example:
        document = json.loads(example.bundle[index].proof)
        edit(document)
        return example.with_files(index, proof=json.dumps(document).encode())

    return attack


def instance(index: int, position: int, felt: object) -> Attack:
    return edit_proof(index, lambda d: d["instances"][0].__setitem__(position, felt))


def bundle(*indices: int) -> Attack:
    return lambda example: replace(example, bundle=tuple(example.bundle[i] for i in indices))


def splice(index: int) -> Attack:
    """Slice `index` of a run on another input."""
    return lambda example: example.with_files(index, proof=example.twin().bundle[index].proof)


def proved(index: int, position: int, value: int) -> Attack:
    """A valid proof of slice `index` for other values."""

    def attack(example: Example) -> Example:
        values = instances(X)[index]
        values[position] = value
        return example.with_instances(index, values)

    return attack


def other_model(example: Example) -> Example:
    """Another model's slice: same shapes, own key, valid proof."""
    foreign = example.foreign()
    return example.with_files(1, vk=foreign.vk, proof=foreign.proof)


def permuted(example: Example) -> Example:
    values = instances(X)[1]
    return example.with_instances(1, [values[1], values[0], *values[2:]])


def srs_passed_off(example: Example) -> Example:
    """Proofs under a test SRS, and a statement that says it is the ceremony's."""
    dishonest = honest(origin="test")
    pieces = [
        msgspec.structs.replace(p, srs=msgspec.structs.replace(p.srs, origin="ceremony"))
        for p in dishonest.claim.slices
    ]
    return dishonest.anchored(msgspec.structs.replace(dishonest.claim, slices=tuple(pieces)))


def under_test_srs(srs: bytes, *, allowed: bool = True) -> Attack:
    """A run under a test SRS, and this file said to be it."""
    example = UNDER_TEST_SRS.with_policy(allow_test_srs=allowed)
    return lambda _: replace(example, srs=replace(example.srs, test={10: srs}))


def ceremony(data: bytes | None) -> Attack:
    return lambda example: replace(example, srs=replace(example.srs, ceremony=data))


def same_settings(text: Callable[[str], str]) -> Attack:
    """The same settings in another spelling."""
    return lambda e: e.with_settings(1, text(e.bundle[1].settings.decode()).encode())


def claimed(**values: Sequence[int]) -> Attack:
    return lambda example: example.with_policy(claimed=values)


def expecting(index: int, **changes: Any) -> Attack:
    """The verifier rebuilt the statement from the model and got another one."""
    return lambda e: e.with_policy(expected=e.with_slice(index, **changes).claim)


def never(obligations: Sequence[Obligation]) -> None:
    """A prover that must not be asked: a cheaper rule is broken."""
    pytest.fail("a proof was checked although a cheaper rule was broken")


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


def second_encoding(index: int) -> Attack:
    """The first point of a proof with its x written as x plus the base field's modulus."""

    def edit(document: dict[str, list[int]]) -> None:
        x = int.from_bytes(bytes(document["proof"][:32]), "big") + BASE_MODULUS
        document["proof"][:32] = x.to_bytes(32, "big")

    return edit_proof(index, edit)
