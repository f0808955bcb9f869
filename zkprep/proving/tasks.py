"""The tasks that prove a slice: one setup, and per input a proof and its verification.

    setup ─┬─ prove 0 ─ verify 0
           ├─ prove 1 ─ verify 1
           └─ ...

A slice with a twin before it has no setup: its proofs follow, and use, the twin's. No other file of
another slice is read: every witness is there, and past the gate, before any key.
"""

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from zkprep.backends.srs import Srs, obtain
from zkprep.cost.circuit import layout
from zkprep.cost.machine import constants
from zkprep.cost.work import predict
from zkprep.execute.task import Call, Need, Task
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized

_LOG = logging.getLogger(__name__)
_VERIFY_CPU_SECONDS = 0.1
_JSON_BYTES_PER_BYTE = 6
_JSON_BYTES_PER_INSTANCE = 160
"""Of a proof file: bytes as decimals and again as hex; instances as felts and again as decimals."""


@cache
def _warn_once(message: str) -> None:
    _LOG.warning(message)


def srs_of(job: Job, one: Sized) -> Srs:
    """The SRS that a slice's keys are made with."""
    return obtain(
        one.settings.run_args.logrows,
        job.backend,
        allow_test=job.options.allow_test_srs,
        notify=_warn_once,
    )


def tasks_of(job: Job, one: Sized, inputs: int) -> Iterator[Task]:
    """The tasks of one slice for the first so many inputs, each after those it needs.

    Raises:
        BackendError: there is no SRS.
    """
    srs, files, run = srs_of(job, one), one.files, job.run
    tag = srs.digest.encode()
    setting, proving, checking = _needs(one)
    keys = {"vk": one.keys.vk, "pk": one.keys.pk}
    circuit: list[Path | bytes] = [one.keys.settings, one.path, tag]
    setup = run.new_stage("setup", one.keys.folder, circuit, [*keys.values()])
    if one.twin is None:
        yield Task(setup, Call("setup", {"circuit": files.circuit, "srs": srs.path}, keys), setting)
    for case in (files.of_input(index) for index in range(inputs)):
        pinned = {"settings": files.settings, "vk": keys["vk"]}
        reads = {
            "witness": case.witness,
            "circuit": files.circuit,
            "pk": keys["pk"],
            "srs": srs.path,
            "settings": files.settings,
        }
        prove = Task(
            run.new_stage("prove", case.case, [case.witness, *pinned.values(), tag], [case.proof]),
            Call("prove", reads, {"out": case.proof}),
            proving,
            (setup.title,),
        )
        yield prove
        yield Task(
            run.new_stage("verify", case.case, [case.proof, *pinned.values(), tag], []),
            Call("verify", {"proof": case.proof, "srs": srs.path, **pinned}, {}),
            checking,
            (prove.title,),
        )


def _needs(one: Sized) -> tuple[Need, Need, Need]:
    """What setup, prove and verify of a slice take, by prediction for this machine."""
    shape, machine = layout(one.settings), constants(one.settings.version)
    work = predict(shape, machine)
    proof = (
        _JSON_BYTES_PER_BYTE * shape.proof_bytes + _JSON_BYTES_PER_INSTANCE * one.settings.instances
    )
    start = max(0, round(machine.memory_start))
    return (
        Need(work.setup_cpu_seconds, work.peak_bytes, shape.pk_bytes + shape.vk_bytes),
        Need(work.prove_cpu_seconds, work.peak_bytes, proof),
        Need(_VERIFY_CPU_SECONDS, start + 2 * shape.vk_bytes),
    )
