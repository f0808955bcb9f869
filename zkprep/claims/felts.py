"""BN254 scalars as EZKL writes them: 32-byte little-endian lower-case hex, negatives as p - |v|.

Source: EZKL 23.0.5 `src/pfsys/mod.rs` (felt encoding), `src/graph/utilities.rs` `quantize_float`.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MODULUS = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
_HEX_DIGITS = frozenset("0123456789abcdef")


def encode(value: int) -> str:
    """Hex of the signed integer `value`, |value| < p/2."""
    return (value % MODULUS).to_bytes(32, "little").hex()


def decode(felt: str) -> int:
    """Signed integer of a canonical hex felt, in (-p/2, p/2].

    Raises:
        ValueError: not 64 lower-case hex digits, or not below the modulus.
    """
    if not isinstance(felt, str) or len(felt) != 64 or not _HEX_DIGITS.issuperset(felt):
        raise ValueError("a field element is 64 lower-case hex digits")
    value = int.from_bytes(bytes.fromhex(felt), "little")
    if value >= MODULUS:
        raise ValueError("a field element is below the field's modulus")
    return value if value <= MODULUS // 2 else value - MODULUS


def quantise(values: NDArray[np.float64], scale: int) -> list[int]:
    """Integers round(x * 2**scale), half away from zero as EZKL rounds, row-major."""
    scaled = np.asarray(values, dtype=np.float64).ravel() * float(2**scale)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return [int(value) for value in rounded]


def dequantise(values: Iterable[int], scale: int) -> NDArray[np.float64]:
    """Floats value / 2**scale, shape (n,)."""
    return np.array([float(value) for value in values], dtype=np.float64) / float(2**scale)
