"""The sample report, whole or with some of it changed."""

from collections.abc import Callable

import pytest
from sample_reports import make_report, make_slice

from zkprep.report.types import Report, SliceReport


@pytest.fixture
def report() -> Report:
    """The sample report."""
    return make_report()


@pytest.fixture
def change_report() -> Callable[..., Report]:
    """Makes the sample report with some of its fields changed."""
    return make_report


@pytest.fixture
def slice_of() -> Callable[..., SliceReport]:
    """Makes one slice."""
    return make_slice
