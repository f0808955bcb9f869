"""Field elements as EZKL writes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkprep.claims import felts


@given(st.integers(-(felts.MODULUS // 2), felts.MODULUS // 2))
def test_round_trip(value: int) -> None:
    assert felts.decode(felts.encode(value)) == value


def test_known_values() -> None:
    # As the wheel ezkl 23.0.5 wrote them for 1 and -1.
    assert felts.encode(1) == "01" + "00" * 31
    assert felts.encode(-1) == "000000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430"


@pytest.mark.parametrize(
    "felt",
    [
        "",
        "00",
        "0x" + "00" * 31,
        "FF" + "00" * 31,
        "00" * 33,
        felts.MODULUS.to_bytes(32, "little").hex(),
        "ff" * 32,
        None,
        7,
    ],
)
def test_not_canonical(felt: object) -> None:
    with pytest.raises(ValueError, match="a field element is"):
        felts.decode(felt)  # type: ignore[arg-type]


def test_quantise_rounds_half_away_from_zero() -> None:
    values = np.array([0.5, 2.5, -0.5, -2.5, 0.49, 1e6])
    assert felts.quantise(values, 0) == [1, 3, -1, -3, 0, 1_000_000]
    assert felts.dequantise([3, -6], 1).tolist() == [1.5, -3.0]
