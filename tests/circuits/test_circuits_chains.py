"""Every case of the corpus is accepted with open and with hidden links: quickly with the fake
prover, and (`make test-long`) with real proofs, where one case takes minutes rather than hours.

The scale is the one that the case's baseline found: test_circuits_corpus looks for it again.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import baseline
from circuits import make
from zkprep import pipeline
from zkprep.backends.base import Backend
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.errors import InputError
from zkprep.options import Baselines, InputVisibility, Link, Links, Options
from zkprep.verifying import audit
from zkprep.verifying.verdict import Verdict

SHORT = [name for name in make.names() if not make.case(name).get("long")]
LARGEST_LOGROWS = 12
PLENTY = 10**15
HIDDEN = {"links": Links(Link.POLYCOMMIT), "input_visibility": InputVisibility.PRIVATE}


def proved(name: str, folder: Path, backend: Backend, **options: object) -> Verdict:
    """The verdict on the case in two slices, or whole where its input is read by two of them."""
    model, data = make.build(name, folder / "case")
    (recorded,) = baseline.recorded(name).values()
    for blocks in (2, 1):
        asked = Options(
            scale=recorded.scale,
            blocks=blocks,
            baselines=Baselines.NONE,
            memory=PLENTY,
            **options,  # type: ignore[arg-type]
        )
        try:
            report = pipeline.prove(model, data, folder / "run", asked, backend, lambda *_: None)
            break
        except InputError as error:
            assert blocks == 2, error
            assert "cannot be private" in str(error) or "asks for 2 slices" in str(error), error
    assert report.verdict is not None
    assert report.verdict.accepted, report.verdict.reason
    return audit.verify(
        folder / "run/public", backend, expect=report.verdict.statement, allow_test_srs=True
    )


def judge(open_: Verdict, hidden: Verdict) -> None:
    assert (open_.private, open_.committed) == ((), 0)
    assert set(hidden.private) == set(open_.inputs)
    assert (hidden.inputs, hidden.committed) == ({}, hidden.links)
    assert list(hidden.outputs) == list(open_.outputs)


@pytest.mark.parametrize(
    "name",
    [n if n in SHORT else pytest.param(n, marks=pytest.mark.long) for n in make.names()],
)
def test_a_case_is_accepted_with_open_and_hidden_links(name: str, tmp_path: Path) -> None:
    backend = FakeBackend()
    judge(
        proved(name, tmp_path / "open", backend),
        proved(name, tmp_path / "hidden", backend, **HIDDEN),
    )


@pytest.mark.long
@pytest.mark.ezkl
@pytest.mark.parametrize("name", SHORT)
def test_a_case_is_proved_with_open_and_hidden_links(
    name: str, tmp_path: Path, kept_srs: Callable[[int], Srs]
) -> None:
    for logrows in range(10, LARGEST_LOGROWS + 1):
        kept_srs(logrows)
    backend = EzklBackend()
    open_ = proved(name, tmp_path / "open", backend)
    hidden = proved(name, tmp_path / "hidden", backend, **HIDDEN)
    judge(open_, hidden)
