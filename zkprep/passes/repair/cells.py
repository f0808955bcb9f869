"""One step of a recurrence in plain operators: RNN, GRU or LSTM, in one direction.

With x the input's share of the step, x W + b for every gate, h and c the state, * elementwise, and
f, g, e the activations in the order of ONNX:
    RNN    h = f(x + h R)
    LSTM   i = f(x + h R + p * c),  k = f(x + h R + p * c),  c' = k * c + i * g(x + h R)
           o = f(x + h R + p * c'),  h = o * e(c')
    GRU    z = f(x + h R),  r = f(x + h R),  h' = (1 - z) * n + z * h,  where
           n = g(x + (r * h) R),  or with linear_before_reset  n = g(x + r * (h R + b))
Each gate has its own columns of W, R and b, and its own peepholes p, if any. What a state of 0
would add is left out. Source: ONNX operators LSTM, GRU and RNN.
"""

from dataclasses import dataclass, field

import onnx_ir as ir

from zkprep.passes.repair.draft import Array, Draft

State = tuple[ir.Value | None, ...]
"""Hidden, and cell of an LSTM; None where it is 0."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The constants of one direction, with H hidden elements and G gates.

    Attributes:
        draft: where the operators go.
        dtype: element type.
        recurrent: R, shape (H, G * H).
        bias: the recurrent bias that is not in the inputs, shape (G * H); GRU's last gate reads it.
        peepholes: shape (3, H), of i, o and k; None where there are none.
        activations: operators f, g and e.
        resets_product: GRU's linear_before_reset.
    """

    draft: Draft
    dtype: ir.DataType
    recurrent: Array
    bias: Array
    peepholes: Array | None
    activations: tuple[str, ...]
    resets_product: bool
    _constants: dict[str, ir.Value] = field(default_factory=dict)

    @property
    def hidden(self) -> int:
        """H."""
        return len(self.recurrent)

    def rnn(self, share: ir.Value, state: State) -> tuple[ir.Value, ...]:
        """The state behind a step of an RNN."""
        return (self._active(0, self._plus(share, self._product(state[0], slice(None)))),)

    def gru(self, share: ir.Value, state: State) -> tuple[ir.Value, ...]:
        """The state behind a step of a GRU."""
        draft, (old,) = self.draft, state
        update, reset, new = self._gates(share, 3)
        of_new = slice(2 * self.hidden, None)
        products = self._gates(self._product(old, slice(0, 2 * self.hidden)), 2)
        z = self._active(0, self._plus(update, products[0]))
        r = self._active(0, self._plus(reset, products[1]))
        if self.resets_product:
            inner = self._plus(
                self._product(old, of_new), self._constant("bias", self.bias[of_new])
            )
            n = self._active(1, self._plus(new, self._times(r, inner)))
        else:
            n = self._active(1, self._plus(new, self._product(self._times(r, old), of_new)))
        kept = draft.op("Mul", draft.op("Sub", self._constant("one", 1.0), z), n)
        return (self._plus(kept, self._times(z, old)),)

    def lstm(self, share: ir.Value, state: State) -> tuple[ir.Value, ...]:
        """The state behind a step of an LSTM: hidden and cell."""
        old, cell = state
        gates = self._gates(self._plus(share, self._product(old, slice(None))), 4)
        i = self._active(0, self._plus(gates[0], self._peep(0, cell)))
        k = self._active(0, self._plus(gates[2], self._peep(2, cell)))
        made = self.draft.op("Mul", i, self._active(1, gates[3]))
        made = self._plus(made, self._times(k, cell))
        o = self._active(0, self._plus(gates[1], self._peep(1, made)))
        return self.draft.op("Mul", o, self._active(2, made)), made

    def _gates(self, value: ir.Value | None, count: int) -> list[ir.Value | None]:
        if value is None:
            return [None] * count
        role = f"gates_{count}"
        if role not in self._constants:
            self._constants[role] = self.draft.constant(role, [self.hidden] * count)
        node = ir.node(
            "Split",
            [value, self._constants[role]],
            {"axis": -1},
            num_outputs=count,
        )
        return list(self.draft.append(node).outputs)

    def _product(self, state: ir.Value | None, columns: slice) -> ir.Value | None:
        if state is None:
            return None
        recurrent = self._constant(f"recurrent_{columns.start or 0}", self.recurrent[:, columns])
        return self.draft.op("MatMul", state, recurrent)

    def _peep(self, gate: int, cell: ir.Value | None) -> ir.Value | None:
        if self.peepholes is None:
            return None
        return self._times(self._constant(f"peephole_{gate}", self.peepholes[gate]), cell)

    def _plus(self, one: ir.Value | None, other: ir.Value | None) -> ir.Value:
        present = [value for value in (one, other) if value is not None]
        return self.draft.op("Add", *present) if len(present) == 2 else present[0]

    def _times(self, one: ir.Value, other: ir.Value | None) -> ir.Value | None:
        return None if other is None else self.draft.op("Mul", one, other)

    def _active(self, position: int, value: ir.Value | None) -> ir.Value:
        return self.draft.op(self.activations[position], value)

    def _constant(self, role: str, values: Array | float) -> ir.Value:
        """The constant of that role, one for all steps."""
        if role not in self._constants:
            self._constants[role] = self.draft.constant(role, values, self.dtype)
        return self._constants[role]
