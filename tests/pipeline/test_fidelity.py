"""Which errors more bits lower: also where the constants were less than a bit, and lost."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networks
import pytest
from msgspec import UNSET

from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.errors import Disagreement, Imprecise, ZkprepError
from zkprep.options import Baselines, Options
from zkprep.proving import fidelity
from zkprep.report.types import Fidelity
from zkprep.runs.events import silent

DARK = """
<ir_version: 8, opset_import: ["" : 17]>
dark (float[1, 6] pixels) => (float[1, 4] logits)
{
    full = Constant <value_float = 4095.0> ()
    light = Div (pixels, full)
    logits = MatMul (light, W)
}
"""


def blame(
    monkeypatch: pytest.MonkeyPatch, shares: dict[tuple[int, int], float | None], deferred: int = 1
) -> ZkprepError:
    """What is said of an error of 60 % at scale 8, where those at other (bits, multiplier) are
    as given: shares of the output's range, or None where EZKL fails.
    """

    def error(share: float) -> Fidelity:
        return Fidelity(max_error=share, relative_error=share, argmax_agrees=True, errors=[])

    def error_at(_b: Any, _one: Any, _feeds: Any, bits: int, multiplier: int) -> Fidelity | None:
        share = shares[bits, multiplier]
        return None if share is None else error(share)

    monkeypatch.setattr(fidelity, "_error_at", error_at)
    spec = SimpleNamespace(scale_rebase_multiplier=deferred, param_scale=8, exits=UNSET)
    one: Any = SimpleNamespace(spec=spec, shown="slice 000")
    backend: Any = None
    return fidelity._blame(backend, one, {}, error(0.6), tolerance=0.01)


def test_bits_that_bring_lost_constants_back_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    found = blame(monkeypatch, {(4, 1): 0.5, (8, 1): 0.04})
    assert isinstance(found, Imprecise)
    assert "the tolerance is 1 %, 8 bits more give 4 %" in str(found)
    assert found.hint.startswith("--scale 18 or so"), "4 % halved twice keeps 1 %"
    last = blame(monkeypatch, {(4, 1): 0.5, (8, 1): 0.7, (12, 1): 0.008})
    assert isinstance(last, Imprecise) and last.hint.startswith("--scale 20 or so")
    exact = blame(monkeypatch, {(4, 1): 0.0})
    assert isinstance(exact, Imprecise) and exact.hint.startswith("--scale 12 or so")


@pytest.mark.parametrize(
    "shares",
    [
        {(4, 1): 0.6, (8, 1): 0.6, (12, 1): 0.6},
        {(4, 1): 0.2, (8, 1): 0.17, (12, 1): 0.16},
        {(4, 1): 0.5, (8, 1): None},
        {(4, 1): None},
    ],
)
def test_an_error_that_no_bits_lower_is_none_of_bits(
    monkeypatch: pytest.MonkeyPatch, shares: dict[tuple[int, int], float | None]
) -> None:
    found = blame(monkeypatch, shares)
    assert isinstance(found, Disagreement)
    assert "more bits do not lower it" in str(found)


def test_a_circuit_that_defers_is_compared_with_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where so many bits are more than EZKL holds; better at the same bits, deferring is wrong."""
    finer: dict[tuple[int, int], float | None] = {(4, 3): None, (4, 1): 0.5, (8, 1): 0.04}
    assert isinstance(blame(monkeypatch, {**finer, (0, 1): 0.6}, deferred=3), Imprecise)
    assert isinstance(blame(monkeypatch, {**finer, (0, 1): 0.1}, deferred=3), Disagreement)


@pytest.mark.ezkl
def test_pixels_of_full_range_are_no_disagreement(tmp_path: Path) -> None:
    """Divided in the constants of the operator after them, these are less than a bit."""
    model = networks.build(tmp_path / "dark.onnx", DARK, {"W": (6, 4)})
    data = tmp_path / "dark.json"
    data.write_text(json.dumps({"input_data": [[0, 800, 1600, 2400, 3200, 4095]]}))

    options = Options(scale=8, memory=2 * 10**9, baselines=Baselines.NONE)
    with pytest.raises(Imprecise, match="is too coarse: .* (8|12) bits more give"):
        pipeline.measure(model, data, options, EzklBackend(), silent)
