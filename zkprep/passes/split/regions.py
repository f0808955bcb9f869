"""Regions: boxes of a tensor's places, an interval [start, stop) per axis."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product

import onnx_ir as ir

Interval = tuple[int, int]
Region = tuple[Interval, ...]


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The shape of `value`, which normalisation has made static."""
    assert value.shape is not None
    return tuple(int(dim) for dim in value.shape)  # type: ignore[arg-type]


def whole(shape: Sequence[int]) -> Region:
    """The region of all places."""
    return tuple((0, size) for size in shape)


def sizes(region: Region) -> tuple[int, ...]:
    """How long the region is along each axis."""
    return tuple(stop - start for start, stop in region)


def hull(one: Region, other: Region) -> Region:
    """The smallest region that holds both."""
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))


def overlap(one: Region, other: Region) -> Region | None:
    """The region that both hold, if any."""
    both = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))
    return both if all(start < stop for start, stop in both) else None


def within(region: Region, outer: Region) -> Region:
    """`region` in places counted from the start of `outer`."""
    return tuple((a - c, b - c) for (a, b), (c, _) in zip(region, outer, strict=True))


def with_axis(region: Region, axis: int, interval: Interval) -> Region:
    """`region` with another interval along `axis`."""
    return (*region[:axis], interval, *region[axis + 1 :])


def intervals(size: int, places: Iterable[int]) -> list[Interval]:
    """An axis of `size` places parted at `places`."""
    return list(pairwise((0, *places, size)))


def grid(shape: Sequence[int], cuts: Mapping[int, Sequence[int]]) -> list[Region]:
    """The tiles of a tensor parted at places of some axes, row by row."""
    axes = [intervals(size, cuts.get(axis, ())) for axis, size in enumerate(shape)]
    return list(product(*axes))
