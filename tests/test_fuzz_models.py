"""Mutated models are prepared or refused: no other exception, no crash, no hang, no wild memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mutations
import pytest

MUTATIONS = 3000
CHILDREN = 2
ROOT = Path(__file__).parents[1]


def _findings(folder: Path, first: int, stop: int) -> Iterator[str]:
    """What went wrong with the mutations from `first` on; a child that died is followed up."""
    folder.mkdir()
    while first < stop:
        child = subprocess.run(
            [sys.executable, mutations.__file__, folder, str(first), str(stop)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = child.stdout.splitlines()
        yield from (line for line in lines if ":" in line)
        reached = max((int(line) for line in lines if line.isdigit()), default=None)
        if reached is None:
            yield f"{first}: the child did not start: {child.stderr[-300:]}"
            return
        if child.returncode:
            yield f"{reached}: the process ended with {child.returncode}: {child.stderr[-300:]}"
        first = reached + 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits a child's memory as Linux does")
def test_mutated_models_are_prepared_or_refused(tmp_path: Path) -> None:
    share = MUTATIONS // CHILDREN
    with ThreadPoolExecutor(CHILDREN) as pool:
        found = pool.map(
            lambda child: list(
                _findings(tmp_path / str(child), child * share, (child + 1) * share)
            ),
            range(CHILDREN),
        )
    assert [line for lines in found for line in lines] == []
