"""The file of a structured reference string: its size, its head, its identity, its small form.

    u32 k | 2**k powers of tau in G1 | the same in Lagrange form | G2 | tau in G2

Points are 64 bytes in G1 and 128 in G2, integers little-endian. To verify, EZKL reads the first
power, G2 and tau in G2, so a file of k = 1 is enough whatever the circuit's rows.

Source: halo2 `ParamsKZG::write`; EZKL 23.0.5 `src/execute.rs` verify (`reduced_srs`).
"""

import os
from pathlib import Path

from zkprep.claims.points import G1_BYTES, G2_BYTES, SRS_HEADER_BYTES, srs_identity
from zkprep.errors import InputError


def file_bytes(logrows: int) -> int:
    """Size of an SRS file."""
    return SRS_HEADER_BYTES + 2 * G1_BYTES * (1 << logrows) + 2 * G2_BYTES


def read_identity(path: Path, logrows: int) -> str:
    """The identity of the SRS at `path`.

    Raises:
        InputError: not a whole SRS file of exactly `logrows`.
    """
    return srs_identity(small_file(path, logrows))


def small_file(path: Path, logrows: int) -> bytes:
    """The SRS at `path` reduced to k = 1; its Lagrange form, which nobody reads, is a copy.

    Raises:
        InputError: not a whole SRS file of exactly `logrows`.
    """
    powers, g2 = _ends(path, logrows)
    return (1).to_bytes(SRS_HEADER_BYTES, "little") + powers + powers + g2


def _ends(path: Path, logrows: int) -> tuple[bytes, bytes]:
    """The first two powers of tau in G1, and both points in G2, of a file that is whole."""
    expected, size = file_bytes(logrows), path.stat().st_size
    if size != expected:
        raise InputError(
            f"SRS file '{path}' has {size} bytes; one of logrows {logrows} has {expected}",
            hint="it is truncated or something else: delete it",
        )
    with path.open("rb") as file:
        found = int.from_bytes(file.read(SRS_HEADER_BYTES), "little")
        powers = file.read(2 * G1_BYTES)
        file.seek(-2 * G2_BYTES, os.SEEK_END)
        g2 = file.read()
    if found != logrows:
        raise InputError(
            f"SRS file '{path}' says logrows {found}, not {logrows}",
            hint="it is damaged or misnamed: delete it",
        )
    return powers, g2
