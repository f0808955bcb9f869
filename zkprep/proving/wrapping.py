"""No value of a chain's circuits may leave the field: prover and verifier hold it to that."""

from collections.abc import Sequence
from functools import partial

from zkprep.backends.base import Backend
from zkprep.bounds import Circuit, Wrapping, wrapping
from zkprep.errors import BackendError, RangeExceeded
from zkprep.proving.sized import Sized, with_twins
from zkprep.slicing.slices import Wire


def unbounded(sized: Sequence[Sized], wires: Sequence[Wire], backend: Backend) -> tuple[str, ...]:
    """The slices of which that is not known, each with the reason.

    Raises:
        RangeExceeded: in one a value may leave the field.
    """
    tables: dict[str, str] = {}
    circuits = [
        Circuit(
            one.model,
            one.spec,
            partial(_table, one, backend, tables),
            tuple(wire.source[0] for wire in wires if wire.target[0] == index),
        )
        for index, one in enumerate(with_twins(sized))
    ]
    return tuple(_told(sized[one.slice].piece.name, one) for one in wrapping(circuits))


def _told(name: str, found: Wrapping) -> str:
    if not found.refused:
        return f"slice {name}: {found.reason}"
    raise RangeExceeded(
        f"slice {name}: values may leave the field: {found.reason}",
        stage="tune",
        slice_name=name,
        hint="lower --scale, or cut the model into more slices",
    )


def _table(one: Sized, backend: Backend, tables: dict[str, str]) -> str:
    """EZKL's table; equal circuits have one."""
    key = str(one.keys.settings)
    if key not in tables:
        try:
            tables[key] = backend.table(one.path, one.spec)
        except BackendError:
            tables[key] = ""
    return tables[key]
