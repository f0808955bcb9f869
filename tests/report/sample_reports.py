"""Reports small enough to check by hand: two slices, plain only counted, prepared proved."""

from typing import Any

import msgspec

from zkprep.report.totals import total
from zkprep.report.types import (
    ChoiceReport,
    CircuitReport,
    Counts,
    Fidelity,
    Machine,
    Measured,
    Prediction,
    Report,
    SiteReport,
    SliceReport,
    Variant,
    Verdict,
)

FIDELITY = Fidelity(
    max_error=0.0123,
    relative_error=0.00312,
    argmax_agrees=True,
    errors=[0, 0, 0, 1, 0, 2, 4, 9, 5, 0, 0, 0, 0, 0, 0, 0, 0],
)
CIRCUIT = CircuitReport(
    freivalds=False,
    parameters="fixed",
    inputs="public",
    outputs="public",
    checks_boundary=False,
    input_scale=8,
    param_scale=8,
    base=1016,
    legs=3,
)
CHOICES = [
    ChoiceReport(
        setting="digits; rows",
        default="16384**2; 1 x 2**15",
        chosen="1016**3; 4 x 2**10",
        prove_cpu_seconds=9.83,
        pk_bytes=106_000_000,
    ),
    ChoiceReport(
        setting="inner columns", default="2", chosen="2", prove_cpu_seconds=0.0, pk_bytes=0
    ),
    ChoiceReport(
        setting="integers at scale", default="8", chosen="0", prove_cpu_seconds=-0.5, pk_bytes=-9000
    ),
]


def make_slice(name: str, cells: int, *, proved: bool, **counts: int) -> SliceReport:
    """A slice whose every figure follows from `cells`, so that expected values can be computed."""
    defaults = {
        "ops": 4,
        "cells": cells,
        "rows": cells // 2,
        "constants": 321,
        "logrows": 15,
        "inner_columns": 2,
        "blocks": 3,
        "area": 3 * 2 * 2**15,
        "degree": 5,
        "lookups": 2,
    }
    predicted = Prediction(
        pk_bytes=cells * 1000,
        vk_bytes=cells // 10,
        proof_bytes=9_420,
        setup_cpu_seconds=cells / 12_500,
        prove_cpu_seconds=cells / 10_000,
        peak_bytes=cells * 2_300,
    )
    measured = Measured(
        setup_seconds=cells / 20_000,
        setup_cpu_seconds=cells / 12_000,
        prove_seconds=cells / 18_000,
        prove_cpu_seconds=cells / 9_000,
        verify_seconds=0.0341,
        verify_cpu_seconds=0.0652,
        peak_bytes=cells * 2_200,
        pk_bytes=cells * 1000,
        vk_bytes=cells // 10,
        proof_bytes=9_420,
    )
    return SliceReport(
        name=name,
        counts=Counts(**(defaults | counts)),
        predicted=predicted,
        measured=measured if proved else None,
        fidelity=FIDELITY,
        choices=CHOICES if proved else [],
        circuit=CIRCUIT if proved else None,
    )


def make_report(**changes: Any) -> Report:
    """The sample report with some of its fields changed."""
    plain = [
        make_slice("000", 301_338, proved=False),
        make_slice("001", 120_004, proved=False, ops=3),
    ]
    prepared = [
        make_slice("000", 201_111, proved=True, ops=2, logrows=14),
        make_slice("001", 120_004, proved=True, ops=3),
    ]
    whole = make_slice("model", 450_000, proved=False, ops=7, logrows=19, blocks=1, degree=6)
    report = Report(
        zkprep="0.1.0",
        prover="23.0.5",
        model="digits.onnx",
        model_digest="4f" * 32,
        scale=10,
        tolerance=0.01,
        machine=Machine(cpu="Example CPU", cores=2, memory_bytes=25_200_000_000, python="3.11.2"),
        variants={
            "ezkl": Variant(
                note="the whole model as EZKL calibrates it: does not fit",
                slices=[whole],
                total=total([whole], None),
            ),
            "plain": Variant(note="counted only", slices=plain, total=total(plain, FIDELITY)),
            "prepared": Variant(note="", slices=prepared, total=total(prepared, FIDELITY)),
        },
        sites=[
            SiteReport(rule="BatchNormalization into Conv", nodes=["conv1", "bn1"]),
            SiteReport(rule="BatchNormalization into Conv", nodes=["conv2", "bn2"]),
            SiteReport(
                rule="BatchNormalization into Conv",
                nodes=["conv3", "bn3"],
                reason="'t3' is also read by 'add1'",
            ),
        ],
        verdict=Verdict(accepted=True, proofs=2, links=1, statement="ab" * 32, test_srs=True),
    )
    return msgspec.structs.replace(report, **changes)
