"""docs/operators.md from the record of the matrix.

python tests/operators/document.py            writes docs/operators.md
python tests/operators/document.py --record   runs every case first and writes matrix.json
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from corpus import every_case, recorded, write_record
from judge import REFUSED, SUPPORTED, Outcome, judge
from models import Case

DOCUMENT = Path(__file__).parents[2] / "docs" / "operators.md"
THREADS = 2

_HEAD = """\
# Operators

What zkprep does with every form of every ONNX operator that it has been tried on, on EZKL 23.0.5.
This file is written by `make operators` from `tests/operators/matrix.json`; a test runs every case
and fails when one is better or worse than it says here.

*Proved* means: the witness of the circuit of the prepared model equals ONNX Runtime on the model as
it was given, within the quantisation of the circuit. *Refused* means: `zkprep` says so before
anything is proved, with the reason given here. There is nothing in between: what is in none of
these forms is refused as unknown.

`zkprep check MODEL` tells the same of a model.

{supported} forms are proved, {refused} are refused, of {operators} operators and constructs.

| operator | proved | refused |
|---|---|---|
"""


def document(outcomes: Mapping[str, Outcome]) -> str:
    """The text of docs/operators.md."""
    cases = sorted(every_case(), key=lambda case: case.operator)
    verdicts = Counter(outcomes[case.name].verdict for case in cases)
    rows = [
        f"| {operator} | {_proved(forms, outcomes)} | {_refused(forms, outcomes)} |"
        for operator, forms in (
            (operator, list(group)) for operator, group in groupby(cases, lambda c: c.operator)
        )
    ]
    head = _HEAD.format(
        supported=verdicts[SUPPORTED], refused=verdicts[REFUSED], operators=len(rows)
    )
    return head + "\n".join(rows) + "\n"


def _proved(forms: Iterable[Case], outcomes: Mapping[str, Outcome]) -> str:
    return ", ".join(
        _escaped(one.variant) for one in forms if outcomes[one.name].verdict == SUPPORTED
    )


def _refused(forms: Iterable[Case], outcomes: Mapping[str, Outcome]) -> str:
    reasons: dict[str, list[str]] = {}
    for one in forms:
        outcome = outcomes[one.name]
        if outcome.verdict == REFUSED:
            reasons.setdefault(outcome.reason, []).append(one.variant)
    return "<br>".join(
        f"{_escaped(', '.join(variants))}: {_escaped(reason)}"
        for reason, variants in reasons.items()
    )


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def record() -> bool:
    """Run every case and write matrix.json; False when a case is neither proved nor refused."""

    def run(case: Case) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            return judge(case, Path(folder))

    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(
            zip((case.name for case in every_case()), pool.map(run, every_case()), strict=True)
        )
    for name, outcome in found.items():
        if outcome.verdict not in (SUPPORTED, REFUSED):
            print(f"{outcome.verdict}: {name}: {outcome.reason}", file=sys.stderr)
    write_record(found)
    return {outcome.verdict for outcome in found.values()} <= {SUPPORTED, REFUSED}


if __name__ == "__main__":
    sound = record() if "--record" in sys.argv else True
    DOCUMENT.write_text(document(recorded()), encoding="utf-8")
    sys.exit(not sound)
