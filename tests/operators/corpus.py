"""Every case of the matrix, and what was recorded of it in matrix.json."""

import json
from pathlib import Path

import cases_arithmetic
import cases_convolutions
import cases_exports
import cases_functions
import cases_logic
import cases_models
import cases_movement
import cases_normalisations
import cases_pools
import cases_products
import cases_reductions
import cases_resampling
from judge import Outcome
from models import Case

RECORD = Path(__file__).parent / "matrix.json"
_FAMILIES = (
    cases_arithmetic,
    cases_convolutions,
    cases_exports,
    cases_functions,
    cases_logic,
    cases_models,
    cases_movement,
    cases_normalisations,
    cases_pools,
    cases_products,
    cases_reductions,
    cases_resampling,
)


def every_case() -> tuple[Case, ...]:
    """The cases in the order of the record."""
    return tuple(case for family in _FAMILIES for case in family.cases())


def recorded() -> dict[str, Outcome]:
    """Case name -> outcome."""
    document = json.loads(RECORD.read_text(encoding="utf-8"))
    return {
        f"{operator}: {variant}": Outcome(**outcome)
        for operator, variants in document.items()
        for variant, outcome in variants.items()
    }


def write_record(outcomes: dict[str, Outcome]) -> None:
    """Write matrix.json: one case per line, by operator."""
    lines: dict[str, list[str]] = {}
    for case in every_case():
        outcome = outcomes[case.name]
        fields = {"verdict": outcome.verdict}
        if outcome.reason:
            fields["reason"] = outcome.reason
        entry = f"    {json.dumps(case.variant)}: {json.dumps(fields)}"
        lines.setdefault(case.operator, []).append(entry)
    body = ",\n".join(
        f"  {json.dumps(operator)}: {{\n" + ",\n".join(entries) + "\n  }"
        for operator, entries in sorted(lines.items())
    )
    RECORD.write_text("{\n" + body + "\n}\n", encoding="utf-8")
