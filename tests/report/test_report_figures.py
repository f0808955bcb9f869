import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkprep.report.figures import (
    agreement,
    count,
    error,
    percent,
    plain,
    printable,
    seconds,
    share,
    size,
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (count(0), "0"),
        (count(999), "999"),
        (count(16_429_385), "16 429 385"),
        (size(0), "0 B"),
        (size(812), "812 B"),
        (size(999), "999 B"),
        (size(1000), "1.00 kB"),
        (size(9_420), "9.42 kB"),
        (size(999_499), "999 kB"),
        (size(999_500), "1.00 MB"),
        (size(227_123_456), "227 MB"),
        (size(24_900_000_000), "24.9 GB"),
        (size(4_200_000_000_000_000), "4 200 TB"),
        (seconds(0), "0 s"),
        (seconds(0.0001), "<0.001 s"),
        (seconds(0.0341), "0.034 s"),
        (seconds(0.9999), "1.00 s"),
        (seconds(8.414), "8.41 s"),
        (seconds(9.999), "10.0 s"),
        (seconds(137.4), "137 s"),
        (seconds(2490), "2 490 s"),
        (error(0), "0"),
        (error(0.0031249), "0.00312"),
        (error(0.000012), "1.2e-05"),
        (share(0.00312), "0.312 %"),
        (agreement(True), "yes"),
        (agreement(False), "no"),
        (percent(-31.24), "-31.2 %"),
        (percent(0), "0 %"),
        (percent(-0.0), "0 %"),
        (percent(-0.0041), "-0.004 %"),
        (percent(7900), "+7 900.0 %"),
    ],
)
def test_a_number_is_written(written: str, expected: str) -> None:
    assert plain(written) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_change_keeps_its_sign_and_is_zero_only_when_it_is(value: float) -> None:
    written = percent(value)
    if value == 0:
        assert written == "0 %"
    else:
        assert written[0] == ("-" if math.copysign(1, value) < 0 else "+")
        assert any(digit in written for digit in "123456789")


def test_a_name_cannot_leave_its_line_or_move_the_cursor() -> None:
    assert printable("a\nb\x1b[31m\u202ec\ud800") == "a\\nb\\x1b[31m\\u202ec\\ud800"
    assert printable("tête/卷积") == "tête/卷积"
