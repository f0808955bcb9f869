"""Whose SRS is it? Rule (7) of `zkprep.verifying.chain.verify`.

The ceremony's file is recognised by its digest. A test file comes with the proofs: it is the one
pinned, all that a verifier reads of it, and only the caller can allow it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from zkprep.claims.claim import Srs, Statement
from zkprep.claims.points import G1_BYTES, G2_BYTES, SRS_HEADER_BYTES, srs_identity
from zkprep.errors import UntrustedSrs

# A KZG file for 2**k rows has 128 * 2**k + 260 bytes, the first four k; a verifier needs k = 1.
SMALL_SRS_BYTES = 516
SMALL_SRS_HEADER = (1).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class SrsFiles:
    """The SRS files at hand (untrusted): the ceremony's small one, and test ones by logrows."""

    ceremony: bytes | None = None
    test: Mapping[int, bytes] = field(default_factory=dict)


def trusted_srs(claim: Statement, srs: SrsFiles, ceremony: str, *, allow_test: bool) -> list[bytes]:
    """Per slice the small SRS file, the ceremony's or an allowed test one, as pinned.

    Args:
        claim: the statement (untrusted).
        srs: the files at hand (untrusted).
        ceremony: sha256 of the ceremony's small file (trusted).
        allow_test: accept a test SRS (trusted).

    Raises:
        UntrustedSrs: a slice's SRS is not at hand, not the pinned one, or not allowed.
    """
    trusted = []
    for index, piece in enumerate(claim.slices):
        where = f"slice {index}"
        data = _file(where, piece.srs, srs, ceremony, allow_test)
        if len(data) != SMALL_SRS_BYTES or data[:4] != SMALL_SRS_HEADER:
            raise UntrustedSrs(
                f"{where}: the {piece.srs.origin} SRS for 2**{piece.srs.logrows} rows is missing "
                f"or not the small file of {SMALL_SRS_BYTES} bytes that a verifier needs"
            )
        found = srs_identity(data)
        if found != piece.srs.identity:
            raise UntrustedSrs(f"{where}: the SRS is {found}, expected {piece.srs.identity}")
        trusted.append(_read_part(data))
    return trusted


def _read_part(data: bytes) -> bytes:
    """The file, with copies of the generator for the points that no verifier reads: none is pinned.

    Those are the second power of tau in G1 and the Lagrange form.
    """
    generator = data[SRS_HEADER_BYTES : SRS_HEADER_BYTES + G1_BYTES]
    return SMALL_SRS_HEADER + 4 * generator + data[-2 * G2_BYTES :]


def _file(where: str, pinned: Srs, srs: SrsFiles, ceremony: str, allow_test: bool) -> bytes:
    if pinned.origin == "ceremony":
        data = srs.ceremony or b""
        if sha256(data).hexdigest() != ceremony:
            raise UntrustedSrs(f"{where}: the SRS file at hand is not the ceremony's")
        return data
    if not allow_test:
        raise UntrustedSrs(
            f"{where} was proved with a test SRS: whoever made it can forge proofs",
            hint="prove with the ceremony's SRS; allow a test SRS only where nothing is at stake",
        )
    return srs.test.get(pinned.logrows, b"")
