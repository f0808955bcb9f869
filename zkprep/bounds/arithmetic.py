"""Sums, products, moves and choices: what they make of the largest |integer| they read.

Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs`, the function named after each operator.
"""

import re
from collections.abc import Sequence
from math import prod

from zkprep.bounds.effects import LARGEST_INTEGER, Checks, Effect, Operand, Rule, divided, up_to
from zkprep.bounds.table import Row


def _moved(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    largest = max(one.largest for one in operands)
    return up_to(largest)


def _summed(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    total = sum(one.largest for one in operands)
    return up_to(total)


def _multiplied(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    total = prod(one.largest for one in operands)
    return up_to(total)


def _reduced(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    total = operands[0].largest * _terms(row, operands[0])
    return up_to(total)


def _terms(row: Row, operand: Operand) -> int:
    return -(-operand.size // row.size)


def _product_along(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    total = operands[0].largest ** _terms(row, operands[0])
    return up_to(total)


def _power(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    """The exponent is how many times the operand's scale the result has; a fraction is a table."""
    if row.said("exponent"):
        return Effect(operands[0].largest, LARGEST_INTEGER)
    exponent, rest = divmod(row.own_scale, operands[0].scale)
    if rest:
        raise ValueError
    total = operands[0].largest ** exponent
    return up_to(total)


def _mean_of_squares(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    terms = _terms(row, operands[0])
    return divided(terms * operands[0].largest ** 2, terms, checks)


def _einsum(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    read, made = row.text.strip().split("->")
    sizes: dict[str, int] = {}
    for letters, operand in zip(read.split(","), operands, strict=True):
        for letter, dim in zip(letters, operand.dims, strict=True):
            sizes[letter] = max(dim, sizes.get(letter, 1))
    terms = prod(size for letter, size in sizes.items() if letter not in made)
    total = terms * prod(one.largest for one in operands)
    return up_to(total)


def _convolved(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    image, kernel, *bias = operands
    own = kernel.dims[0] if row.kind == "CONV" and row.said("kernel_format") == "OIHW" else 1
    total = kernel.size // own * image.largest * kernel.largest
    total += sum(one.largest for one in bias)
    return up_to(total)


def _sum_pool(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    terms = prod(int(dim) for dim in re.findall(r"\d+", row.said("kernel_shape")))
    return divided(
        terms * operands[0].largest, terms if row.said("normalized") == "true" else 1, checks
    )


def _ordered(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    """Maxima and sorting: differences are range-checked, what is chosen is not."""
    largest = max(one.largest for one in operands)
    return Effect(2 * largest + 1, largest)


def _compared(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    return Effect(sum(one.largest for one in operands) + 1, 1.0)


def _place(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    return Effect(2 * operands[0].largest + 1, float(operands[0].size))


def _selected(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    """Where; its mask is checked to be 0 or 1."""
    mask, *given = operands
    total = sum(one.largest for one in given)
    return Effect(max(mask.largest, total), max(one.largest for one in given))


def _logical(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    total = 2 * prod(one.largest + 1 for one in operands)
    return up_to(total)


def _gathered(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    """What is chosen by places; those are looked up, as one number per element."""
    data, *places = operands
    met = max([data.largest, *((one.largest + 1) * (data.size + 1) for one in places)])
    return Effect(met, data.largest)


def _scattered(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    data, *given = operands
    met = max((one.largest + 1) * (data.size + 1) for one in operands)
    return Effect(met, max([data.largest, *(one.largest for one in given)]))


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("IDENTITY", "RESHAPE", "FLATTEN", "PAD", "SLICE", "CONCAT", "MULTIBROADCASTTO"),
            *("MOVEAXIS", "DOWNSAMPLE", "RESIZE", "TRILU", "NEG"),
        ),
        _moved,
    ),
    **dict.fromkeys(("ADD", "SUB"), _summed),
    **dict.fromkeys(("CONV", "DECONV"), _convolved),
    **dict.fromkeys(("MAX", "MIN", "REDUCEMAX", "REDUCEMIN", "MAXPOOL", "TOPK"), _ordered),
    **dict.fromkeys(("GREATER", "GREATEREQUAL", "LESS", "LESSEQUAL", "EQUALS"), _compared),
    **dict.fromkeys(("SIGN", "ONEHOT"), _compared),
    **dict.fromkeys(("REDUCEARGMAX", "REDUCEARGMIN"), _place),
    **dict.fromkeys(("NOT", "AND", "OR", "XOR"), _logical),
    **dict.fromkeys(("GATHER", "GATHERELEMENTS", "GATHERND"), _gathered),
    **dict.fromkeys(("SCATTERELEMENTS", "SCATTERND"), _scattered),
    "EINSUM": _einsum,
    "IFF": _selected,
    "MEANOFSQUARES": _mean_of_squares,
    "MULT": _multiplied,
    "POW": _power,
    "PROD": _product_along,
    "SUM": _reduced,
    "SUMPOOL": _sum_pool,
}
