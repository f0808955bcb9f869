"""What the law of zkprep.cost.work costs on this machine, measured once and kept.

Three constants belong to a machine and are fitted to a few probes: the slowness, as the mean of
measured over predicted CPU seconds (geometric, setup and prove alike), and start and bulk of peak
memory, by least squares. The proportions between the terms are halo2's and
stay the reference's: so few and so small circuits cannot tell them apart.

They decide what is predicted and refused, never which circuit is chosen (docs/adr/0005).
"""

import platform
from collections.abc import Sequence
from dataclasses import replace
from math import exp, log
from pathlib import Path

import msgspec
import numpy as np
import psutil

from zkprep.cost.circuit import Layout
from zkprep.cost.work import REFERENCE, Machine, predict
from zkprep.files import cache_folder, digest, write_atomically


class Probe(msgspec.Struct, frozen=True):
    """A circuit that was set up and proved: its layout, CPU seconds, and bytes at the peak."""

    layout: Layout
    setup_cpu_seconds: float
    prove_cpu_seconds: float
    peak_bytes: int


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was fitted, for which machine, and how far the probes are from it.

    Attributes:
        cpu: the processor's model.
        cores: number of cores.
        prover: the prover's version.
        constants: of the law.
        probes: number of circuits.
        time_error: largest relative error of CPU seconds over the probes.
        memory_error: largest relative error of peak bytes.
        load: processes that ran or waited, on average, in the minute before.
    """

    cpu: str
    cores: int
    prover: str
    constants: Machine
    probes: int
    time_error: float
    memory_error: float
    load: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether others used the machine: CPU seconds are more then, by what caches are shared."""
        return self.load > self.cores / 2


def fit(probes: Sequence[Probe], prover: str, load: float = 0.0) -> Calibration:
    """The constants nearest to the probes on this machine.

    Args:
        probes: at least two, with keys of different size.
        prover: the prover's version, as settings carry it.
        load: of the machine when they were measured.
    """
    works = [predict(probe.layout) for probe in probes]
    ratios = [
        measured / predicted
        for probe, work in zip(probes, works, strict=True)
        for measured, predicted in (
            (probe.setup_cpu_seconds, work.setup_cpu_seconds),
            (probe.prove_cpu_seconds, work.prove_cpu_seconds),
        )
    ]
    slowness = exp(sum(log(ratio) for ratio in ratios) / len(ratios))
    terms = np.array([[1.0, work.peak_bytes - REFERENCE.memory_start] for work in works])
    peaks = np.array([probe.peak_bytes for probe in probes])
    start, bulk = (float(term) for term in np.linalg.lstsq(terms, peaks, rcond=None)[0])
    made = replace(REFERENCE, slowness=slowness, memory_start=start, bulk=bulk)
    held = [predict(probe.layout, made).peak_bytes / probe.peak_bytes for probe in probes]
    return Calibration(
        cpu=cpu_name(),
        cores=psutil.cpu_count() or 1,
        prover=prover,
        constants=made,
        probes=len(probes),
        time_error=max(abs(ratio / slowness - 1) for ratio in ratios),
        memory_error=max(abs(ratio - 1) for ratio in held),
        load=load,
    )


def keep(found: Calibration) -> Path:
    """Keep a calibration for this machine; returns where.

    Raises:
        InputError: the cache folder cannot be written.
    """
    path = place(found.prover)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return path


def kept(prover: str) -> Calibration | None:
    """The calibration of this machine under `prover`, if there is one that can be read."""
    try:
        return msgspec.json.decode(place(prover).read_bytes(), type=Calibration)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def constants(prover: str) -> Machine:
    """The constants of this machine under `prover`; the reference machine's if never calibrated."""
    found = kept(prover)
    return found.constants if found else REFERENCE


def cpu_name() -> str:
    """The processor's model, as the system names it."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def place(prover: str) -> Path:
    """Where the calibration of this machine under `prover` is kept."""
    key = f"{cpu_name()}\n{psutil.cpu_count()}\n{prover}"
    return cache_folder() / "machines" / f"{digest(key.encode())[:16]}.json"
