"""How a verifier sees what enters and leaves each slice, and which wishes EZKL cannot grant.

EZKL has one visibility for all inputs of a slice and one for all outputs, and a link needs the same
at both of its ends. So a choice for one tensor spreads over the sides that its wires connect:

    committed   equal commitments instead of equal values; the model's inputs cannot be, because no
                circuit would check their range, nor its outputs, which are what is claimed
    private     inputs of the model alone, in the one slice that reads them

What cannot be had is refused with the reason: nothing that should be hidden is shown instead.
Source: EZKL 23.0.5 `src/graph/vars.rs` VarVisibility, `src/circuit/ops/mod.rs` Input.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.errors import InputError
from zkprep.models.model import input_specs, output_specs
from zkprep.options import InputVisibility, Link, Links
from zkprep.slicing.slices import Slicing

Side = tuple[int, str]
"""A slice's index, and "inputs" or "outputs"."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """How a verifier sees a slice's inputs and its outputs."""

    inputs: str = "public"
    outputs: str = "public"

    @property
    def commits(self) -> bool:
        """Whether a side is committed, and the number of rows so shared with other slices."""
        return Link.POLYCOMMIT in (self.inputs, self.outputs)

    @property
    def hides(self) -> bool:
        """Whether the verifier does not see all of it."""
        return self != Boundary()

    def applied(self, spec: CircuitSpec) -> CircuitSpec:
        """`spec` with these visibilities; what nobody sees, the circuit checks."""
        return replace(
            spec,
            input_visibility=self.inputs,
            output_visibility=self.outputs,
            checks_boundary=spec.checks_boundary or self.inputs == "private",
        )


def boundaries(
    slicing: Slicing, outputs: Iterable[str], links: Links, inputs: InputVisibility
) -> list[Boundary]:
    """The boundary of every slice.

    Args:
        slicing: the slices and their wires.
        outputs: names of the model's outputs.
        links: how links are checked.
        inputs: how the model's inputs are seen.

    Raises:
        InputError: EZKL cannot have it so; says why and what can be done.
    """
    wired = {wire.tensor for wire in slicing.wires}
    for tensor in links.tensors:
        if tensor not in wired:
            known = ", ".join(f"'{name}'" for name in sorted(wired)) or "none"
            raise InputError(f"--link: '{tensor}' is no tensor between slices; they are: {known}")
    if inputs is InputVisibility.PRIVATE:
        _require_one_reader(slicing, wired)
    seen: dict[Side, str] = {}
    for sides in nx.connected_components(_sides(slicing)):
        visibility = _visibility(slicing, sides, set(outputs), links, inputs)
        seen.update(dict.fromkeys(sides, visibility))
    return [
        Boundary(seen[index, "inputs"], seen[index, "outputs"])
        for index in range(len(slicing.slices))
    ]


def _sides(slicing: Slicing) -> "nx.Graph[Side]":
    """The sides of all slices, joined where a wire connects them."""
    graph: nx.Graph[Side] = nx.Graph()
    graph.add_nodes_from((i, side) for i in range(len(slicing.slices)) for side in _NAMES)
    graph.add_edges_from(
        ((wire.source[0], "outputs"), (wire.target[0], "inputs")) for wire in slicing.wires
    )
    return graph


_NAMES = ("inputs", "outputs")


def _visibility(
    slicing: Slicing,
    sides: set[Side],
    outputs: set[str],
    links: Links,
    inputs: InputVisibility,
) -> str:
    """What the connected `sides` are seen as."""
    wired = sorted({w.tensor for w in slicing.wires if (w.source[0], "outputs") in sides})
    others = [(side, name) for side in sorted(sides) for name in _names(slicing, side)]
    read = [(side, n) for side, n in others if side[1] == "inputs" and n not in wired]
    shown = [(side, n) for side, n in others if side[1] == "outputs" and n in outputs]
    if not wired:
        return inputs.value if read else "public"
    named = {links.tensors[name] for name in wired if name in links.tensors}
    if len(named) > 1:
        raise InputError(f"--link: {_listed(wired)} share sides of slices: give them one mode")
    mode = named.pop() if named else links.everywhere
    if read and inputs is InputVisibility.PRIVATE:
        (index, _), name = read[0]
        raise InputError(
            f"'{name}' cannot be private: slice {index:03d} reads it beside {_listed(wired)}, and "
            "EZKL has one visibility for all inputs of a slice",
            hint="another cut (--blocks), so that a slice reads nothing but private inputs",
        )
    if mode is Link.POLYCOMMIT and (read or shown):
        (index, side), name = (read or shown)[0]
        kind = "input" if read else "output"
        raise InputError(
            f"{_listed(wired)} cannot be committed: '{name}', {kind} of the model, is public and "
            f"among the {side} of slice {index:03d}, and EZKL has one visibility for all of them",
            hint=f"--link {wired[0]}=public, or another cut (--blocks)",
        )
    return mode.value


def _require_one_reader(slicing: Slicing, wired: set[str]) -> None:
    """Nobody could tell that two slices were given the same private input."""
    readers = Counter(
        name
        for index in range(len(slicing.slices))
        for name in _names(slicing, (index, "inputs"))
        if name not in wired
    )
    for name, times in readers.items():
        if times > 1:
            raise InputError(
                f"'{name}' cannot be private: {times} slices read it, and nobody could tell that "
                "they were given the same",
                hint="another cut (--blocks), so that one slice reads it",
            )


def _names(slicing: Slicing, side: Side) -> Sequence[str]:
    model = slicing.slices[side[0]].prepared
    specs = input_specs(model) if side[1] == "inputs" else output_specs(model)
    return [spec.name for spec in specs]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
