"""A cut as a report shows it: the slices, the prepared operators, the tensors between them."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class CutSlice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One slice, by prediction alone.

    Attributes:
        name: of the slice.
        nodes: names of its nodes in the normalised model.
        ops: how many operators it has after preparation.
        inputs: names of the tensors it reads.
        outputs: names of the tensors it puts out.
        cells: predicted, boundary included.
        prove_cpu_seconds: predicted, on the machine of zkprep's own figures.
        peak_bytes: predicted, to prove it.
        twin: an earlier slice that is equal but for the names in it, or "".
    """

    name: str
    nodes: list[str]
    ops: Count
    inputs: list[str]
    outputs: list[str]
    cells: Count
    prove_cpu_seconds: Amount
    peak_bytes: Count
    twin: str = ""


class CutOperator(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A prepared operator: its node's name and type, the index of its slice, predicted cells."""

    name: str
    op: str
    slice: Count
    cells: Count


class CutTensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tensor that is no constant.

    Attributes:
        name: of the tensor.
        elements: how many numbers it holds.
        source: index of the operator that makes it; None for an input of the model.
        readers: indices of the operators that read it.
        leaves: whether it is an output of the model.
    """

    name: str
    elements: Count
    source: Count | None
    readers: list[Count]
    leaves: bool


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Slices in executable order, operators in the model's, and the tensors between them."""

    slices: list[CutSlice]
    operators: list[CutOperator]
    tensors: list[CutTensor]

    def crosses(self, tensor: CutTensor) -> bool:
        """Whether a slice puts the tensor out or reads it from outside."""
        homes = {self.operators[reader].slice for reader in tensor.readers}
        if tensor.source is None or tensor.leaves:
            return True
        return homes != {self.operators[tensor.source].slice}
