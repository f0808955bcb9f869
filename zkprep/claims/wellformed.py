"""Rule (1) of `zkprep.verifying.chain.verify`: is a statement well-formed?

(a) the cut has one part per slice and no node twice;
(b) numbers lie within bounds, and scales follow from one another: zkprep.claims.allowed;
(c) public ports tile the slice's instances, committed ports the points its proof begins with:
    inputs, then outputs, no gap (EZKL `src/graph/mod.rs` prepare_public_inputs,
    `src/graph/modules.rs` num_constraints_and_instances);
(d) wires point forward; tensor, shape, scale and visibility agree at both ends of a wire; a
    committed tensor has one SRS and one logrows at both ends, or equal points mean nothing;
(e) all readers of a model input agree likewise; a model output is one slice output, and public;
(f) every slice input is fed once, every slice output is read, a tensor is produced once;
(g) a head is a function of a model output, along one of its axes, under a name of its own;
(h) a private tensor is a model input that one slice reads and whose range that circuit checks: no
    verifier sees it. EZKL checks no committed tensor, so a model input cannot be one.
"""

from collections import Counter
from collections.abc import Iterable
from math import prod

from zkprep.circuit import column_blocks
from zkprep.claims import allowed
from zkprep.claims.claim import Port, PortRef, Slice, Statement
from zkprep.claims.points import G1_BYTES
from zkprep.errors import StatementError

_COUNTED = {"public": "instance", "polycommit": "point", "private": "place"}


def extent(port: Port, logrows: int) -> int:
    """How many instances or points a port takes; none where it is private."""
    if port.visibility == "polycommit":
        return column_blocks(port.length, 1, logrows)
    return port.length if port.visibility == "public" else 0


def check(statement: Statement) -> None:
    """Refuse a statement (untrusted) that is not well-formed.

    Raises:
        StatementError: says where, and what was expected.
    """
    _check_preparation(statement)
    for index, piece in enumerate(statement.slices):
        allowed.check(index, piece)
        _check_tiling(index, piece)
    _check_wires(statement)
    _check_outer(statement)
    _check_hidden(statement)
    _check_fed(statement)
    _check_read(statement)
    _check_heads(statement)


def _check_preparation(statement: Statement) -> None:
    preparation = statement.preparation
    names = [name for name, _ in preparation.dims]
    if names != sorted(set(names)):
        raise StatementError("the named dimensions are not sorted and distinct")
    if len(preparation.cut) != len(statement.slices):
        raise StatementError(
            f"the cut has {len(preparation.cut)} parts for {len(statement.slices)} slices"
        )
    repeated = _repeated(node for part in preparation.cut for node in part)
    if repeated:
        raise StatementError(f"the cut names node '{repeated}' twice")


def _check_tiling(index: int, piece: Slice) -> None:
    sides = [("input", piece.spec.input_visibility, port) for port in piece.inputs]
    sides += [("output", piece.spec.output_visibility, port) for port in piece.outputs]
    position = dict.fromkeys(_COUNTED, 0)
    for side, visibility, port in sides:
        where = f"slice {index}: {side} '{port.tensor}'"
        if port.visibility != visibility:
            raise StatementError(f"{where} is {port.visibility}, its circuit's is {visibility}")
        if prod(port.shape) != port.length:
            raise StatementError(f"{where} has {port.length} values for shape {list(port.shape)}")
        counted, expected = _COUNTED[port.visibility], position[port.visibility]
        if port.start != expected:
            raise StatementError(
                f"{where} starts at {counted} {port.start}, expected {expected}: "
                f"ports tile the {counted}s with no gap"
            )
        position[port.visibility] += extent(port, piece.spec.logrows)
    if position["public"] > 1 << piece.spec.logrows:
        raise StatementError(
            f"slice {index}: {position['public']} instances do not fit 2**{piece.spec.logrows} rows"
        )
    if G1_BYTES * position["polycommit"] > piece.proof_bytes:
        raise StatementError(
            f"slice {index}: a proof of {piece.proof_bytes} bytes has no room "
            f"for {position['polycommit']} commitments"
        )


def _check_wires(statement: Statement) -> None:
    targets = [wire.target for wire in statement.wires]
    if targets != sorted(targets):
        raise StatementError("the wires are not in the order of their targets")
    for wire in statement.wires:
        where = f"the wire of '{wire.tensor}' from slice {wire.source.slice} to {wire.target.slice}"
        if wire.source.slice >= wire.target.slice:
            raise StatementError(f"{where} does not point forward")
        _require_port(statement, wire.source, "outputs", where)
        _require_port(statement, wire.target, "inputs", where)
        source = statement.source(wire.source)
        _require_equal(where, "tensor", wire.tensor, source.tensor)
        _require_same_tensor(where, source, statement.target(wire.target))
        if source.visibility == "polycommit":
            srs = [statement.slices[ref.slice].srs for ref in (wire.source, wire.target)]
            _require_equal(where, "SRS", *srs)


def _check_outer(statement: Statement) -> None:
    for outer in statement.inputs:
        where = f"model input '{outer.tensor}'"
        for ref in outer.ports:
            _require_port(statement, ref, "inputs", where)
        first = statement.target(outer.ports[0])
        for ref in outer.ports:
            _require_same_tensor(where, first, statement.target(ref))
        _require_equal(where, "tensor", outer.tensor, first.tensor)
        _require_equal(where, "shape", outer.shape, first.shape)
    repeated = _repeated(outer.tensor for outer in statement.outputs)
    if repeated:
        raise StatementError(f"model output '{repeated}' is listed twice")
    for outer in statement.outputs:
        where = f"model output '{outer.tensor}'"
        if len(outer.ports) != 1:
            raise StatementError(f"{where} has {len(outer.ports)} ports; one slice produces it")
        _require_port(statement, outer.ports[0], "outputs", where)
        port = statement.source(outer.ports[0])
        _require_equal(where, "tensor", outer.tensor, port.tensor)
        _require_equal(where, "shape", outer.shape, port.shape)
        if port.visibility != "public":
            raise StatementError(f"{where} is {port.visibility}: nothing would be claimed of it")


def _check_hidden(statement: Statement) -> None:
    for wire in statement.wires:
        if statement.target(wire.target).visibility == "private":
            raise StatementError(
                f"slice {wire.target.slice}: input '{wire.tensor}' of a wire is private"
            )
    for outer in statement.inputs:
        where = f"model input '{outer.tensor}'"
        visibility = statement.target(outer.ports[0]).visibility
        if visibility == "polycommit":
            raise StatementError(f"{where} is committed: no circuit checks its range")
        if visibility == "private" and len(outer.ports) > 1:
            raise StatementError(
                f"{where} is private and read {len(outer.ports)} times: "
                "nobody could tell that the values are the same"
            )
    for index, piece in enumerate(statement.slices):
        if piece.spec.input_visibility == "private" and not piece.spec.checks_boundary:
            raise StatementError(
                f"slice {index}: its inputs are private and its circuit does not check their range"
            )


def _check_fed(statement: Statement) -> None:
    fed = Counter(wire.target for wire in statement.wires)
    fed.update(ref for outer in statement.inputs for ref in outer.ports)
    for index, piece in enumerate(statement.slices):
        for number, port in enumerate(piece.inputs):
            times = fed[PortRef(index, number)]
            if times != 1:
                raise StatementError(
                    f"slice {index}: input '{port.tensor}' is fed {times} times, expected once, "
                    "by a model input or by one wire"
                )


def _check_read(statement: Statement) -> None:
    read = {wire.source for wire in statement.wires}
    read.update(outer.ports[0] for outer in statement.outputs)
    produced = [outer.tensor for outer in statement.inputs]
    for index, piece in enumerate(statement.slices):
        for number, port in enumerate(piece.outputs):
            produced.append(port.tensor)
            if PortRef(index, number) not in read:
                raise StatementError(
                    f"slice {index}: output '{port.tensor}' is read by no wire and no model output"
                )
    repeated = _repeated(produced)
    if repeated:
        raise StatementError(f"tensor '{repeated}' is produced twice")


def _check_heads(statement: Statement) -> None:
    shapes = {outer.tensor: outer.shape for outer in statement.outputs}
    for head in statement.heads:
        where = f"head '{head.tensor}'"
        if head.source not in shapes:
            raise StatementError(f"{where} is a function of '{head.source}', no proved output")
        shape = shapes[head.source]
        if head.axis >= (len(shape) or head.function == "Sigmoid"):  # which a scalar has, too
            raise StatementError(f"{where}: '{head.source}' has no axis {head.axis}")
        size = prod(shape) // (shape[head.axis] if head.function == "ArgMax" and shape else 1)
        if prod(head.shape) != size:
            raise StatementError(f"{where} has {prod(head.shape)} values, expected {size}")
    names = [outer.tensor for outer in (*statement.inputs, *statement.outputs)]
    repeated = _repeated([*names, *(head.tensor for head in statement.heads)])
    if repeated:
        raise StatementError(f"'{repeated}' names two tensors of the model")


def _require_port(statement: Statement, ref: PortRef, side: str, where: str) -> None:
    if ref.slice >= len(statement.slices):
        raise StatementError(f"{where}: there is no slice {ref.slice}")
    ports = getattr(statement.slices[ref.slice], side)
    if ref.port >= len(ports):
        raise StatementError(f"{where}: slice {ref.slice} has {len(ports)} {side}, no {ref.port}")


def _require_same_tensor(where: str, one: Port, other: Port) -> None:
    for field in ("tensor", "shape", "scale", "visibility"):
        _require_equal(where, field, getattr(one, field), getattr(other, field))


def _require_equal(where: str, what: str, one: object, other: object) -> None:
    if one != other:
        raise StatementError(f"{where}: {what} is {one!r} at one end and {other!r} at the other")


def _repeated(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
