"""docs/scaling.md is what was recorded, and what was recorded keeps what is promised."""

import msgspec
import pytest

from benchmarks import scaling
from benchmarks.scaling import DOCUMENT, RECORDED, Measured, Recorded

LIMIT = 1.3
"""Most times what its stages take at the least that a run may take."""


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return msgspec.json.decode(RECORDED.read_bytes(), type=Recorded)


def test_the_document_is_up_to_date(recorded: Recorded) -> None:
    assert DOCUMENT.read_text() == scaling.document(recorded)


@pytest.mark.parametrize("where", ["here", "ray"])
def test_the_cores_were_filled(recorded: Recorded, where: str) -> None:
    run: Measured = getattr(recorded, where)
    assert len(recorded.slices) == 12
    # Keys and proofs of all; slices with a twin have no setup of their own.
    assert 24 < run.tasks <= 36
    assert run.wall_seconds <= LIMIT * run.thread_seconds / run.cores
    assert run.most_bytes <= run.limit_bytes


def test_a_slice_that_has_a_twin_needs_no_setup() -> None:
    slices = [scaling.Slice(1.0, 2.0, 1), scaling.Slice(0.0, 2.0, 1)]
    assert sum(step.need.cpu_seconds for step in scaling.steps_of(slices, 3).values()) == 13.0
