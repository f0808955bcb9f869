"""The survey: every pattern through every tool, and the cells EZKL counts; writes docs/fusion.md.

    python -m benchmarks.fusion.survey --tools .venv-bench/bin/python --output docs/fusion.md

Every model is made in two sizes, all dimensions different and all equal; a pattern counts with the
worse of its two outcomes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.fusion import tools
from benchmarks.fusion.building import DIFFERENT, EQUAL
from benchmarks.fusion.cells import count
from benchmarks.fusion.document import render
from benchmarks.fusion.judging import Column, Outcome, judge
from benchmarks.fusion.patterns import PATTERNS, Pattern
from zkprep.backends.ezkl import EzklBackend

SIZES = {"different": DIFFERENT, "equal": EQUAL}
_CELL_SECONDS = 60.0


def survey(python: Path, folder: Path) -> list[Column]:
    """Write the models into `folder`, run every tool on them and judge what it made."""
    for number, pattern in enumerate(PATTERNS):
        for name, size in SIZES.items():
            place = folder / f"{number:03}-{name}"
            place.mkdir()
            pattern.write(place, size)
    return [_column(tool, python, folder) for tool in tools.TOOLS]


def _column(tool: str, python: Path, folder: Path) -> Column:
    interpreter = sys.executable if tool == "zkprep" else str(python)
    print(f"{tool} ...", file=sys.stderr)
    subprocess.run([interpreter, tools.__file__, tool, str(folder)], check=True)
    document = json.loads((folder / f"{tool}.json").read_text(encoding="utf-8"))
    errors: dict[str, str] = document["errors"]
    outcomes = []
    if tool == "zkprep" and document["unavailable"]:
        raise SystemExit(f"zkprep itself cannot be run: {document['unavailable']}")
    if not document["unavailable"]:
        for number, pattern in enumerate(PATTERNS):
            places = [folder / f"{number:03}-{name}" for name in SIZES]
            both = [_outcome(pattern, p, tool, errors.get(p.name, "")) for p in places]
            outcomes.append(max(both, key=lambda one: list(Outcome).index(one[0])))
    return Column(tool, document["version"], document["unavailable"], tuple(outcomes))


def _outcome(pattern: Pattern, place: Path, tool: str, error: str) -> tuple[Outcome, str]:
    """Judged in a child process: a broken model can take ONNX Runtime down with it."""
    after, verdict = place / f"{tool}.onnx", place / f"{tool}.verdict"
    if error or not after.exists():
        return Outcome.CRASH, error or "nothing was written"

    def work() -> None:
        outcome, detail = judge(pattern, place / "model.onnx", after)
        verdict.write_text(f"{outcome}\n{detail}", encoding="utf-8")

    died = tools.in_child(work, place / f"{tool}.judged.txt")
    if died:
        return Outcome.INVALID, f"running it: {died}"
    outcome, _, detail = verdict.read_text(encoding="utf-8").partition("\n")
    return Outcome(outcome), detail.splitlines()[0]


def main() -> None:
    """Run the survey and write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tools", type=Path, required=True, help="python with the other tools")
    parser.add_argument("--output", type=Path, required=True, help="the document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fusion-survey-") as folder:
        columns = survey(arguments.tools, Path(folder))
    print("cells ...", file=sys.stderr)
    backend = EzklBackend(seconds=_CELL_SECONDS)
    cells = ["" if p.is_trap else count(p, backend) for p in PATTERNS]
    arguments.output.write_text(render(columns, cells, backend.version), encoding="utf-8")


if __name__ == "__main__":
    main()
