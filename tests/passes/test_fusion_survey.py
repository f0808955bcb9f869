"""zkprep alone on the survey: the ideal node count, the same outputs, every trap left."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from benchmarks.fusion.building import DIFFERENT, EQUAL, Size
from benchmarks.fusion.judging import LIMITS, Outcome, judge
from benchmarks.fusion.patterns import PATTERNS, Pattern, every_node
from zkprep.fusing import fuse_file

SIZES = {"different": DIFFERENT, "equal": EQUAL}
# zkprep reads the default epsilon as ONNX means it, so double precision is held to one fusion.
STRICT = {**LIMITS, TensorProto.DOUBLE: 1e-11}
FUSABLE = [pattern for pattern in PATTERNS if not pattern.is_trap]
TRAPS = [pattern for pattern in PATTERNS if pattern.is_trap]


def _label(pattern: Pattern) -> str:
    return f"{pattern.family}: {pattern.name}"


def test_the_survey_is_whole() -> None:
    assert (len(FUSABLE), len(TRAPS)) == (112, 29)
    assert len({_label(pattern) for pattern in PATTERNS}) == len(PATTERNS)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("pattern", FUSABLE, ids=_label)
def test_fusable_pattern_is_fused(pattern: Pattern, size: Size, tmp_path: Path) -> None:
    source, result = pattern.write(tmp_path, size), tmp_path / "out" / "fused.onnx"
    fuse_file(source, result)
    outcome, detail = judge(pattern, source, result, limits=STRICT)
    assert outcome is Outcome.FULL, detail


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("pattern", TRAPS, ids=_label)
def test_trap_is_left_with_a_reason(pattern: Pattern, size: Size, tmp_path: Path) -> None:
    source, result = pattern.write(tmp_path, size), tmp_path / "out" / "fused.onnx"
    sites = fuse_file(source, result)
    outcome, detail = judge(pattern, source, result, limits=STRICT)
    assert outcome is Outcome.FULL, detail
    before, after = (
        [node.op_type for node in every_node(onnx.load(path))] for path in (source, result)
    )
    assert after == before
    assert any(site.reason.startswith("kept '") for site in sites)
