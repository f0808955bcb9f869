"""Random small networks: operators a pass knows, in combinations nobody thought of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from net import Net

Shape = list[int]


class RandomNet:
    """Grows a network one operator at a time; a step that does not fit is left out."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.net = Net(self.pick(11, 13, 17), self.pick(*["float32"] * 8, "float16"), seed=seed)
        shape = [self.pick(1, 2), self.pick(2, 4), self.pick(4, 5, 6), self.pick(4, 5)]
        if self.chance(0.25):
            shape = [4, 4, 4, 4]
        self.net.input("x", *shape)
        self.tensors: list[tuple[str, Shape]] = [("x", shape)]

    def grow(self, steps: int) -> Net | None:
        """The network after `steps` steps, or None when none of them fitted."""
        for step in range(steps):
            name, shape = self.tensors[-1 if self.chance(0.8) else self.pick_index(self.tensors)]
            made = self.pick(*self.choices(len(shape)))(name, shape, f"t{step}")
            if made is not None:
                self.tensors.append((f"t{step}", made))
        if len(self.tensors) == 1:
            return None
        inner = [name for name, _ in self.tensors[1:-1] if self.chance(0.06)]
        return self.net.output(self.tensors[-1][0], *inner)

    def choices(self, rank: int) -> list[Callable[[str, Shape, str], Shape | None]]:
        common = [self.norm, self.norm, self.arithmetic, self.arithmetic, self.rectify, self.join]
        common += [self.clip, self.pick_some, self.sum_with_map]
        images = [self.conv, self.conv, self.conv, self.conv_transpose, self.pool, self.pad]
        images += [self.resize, self.instance_norm]
        by_rank = {
            2: [self.gemm, self.gemm, self.matmul],
            3: [self.matmul, self.transpose],
            4: [*images, self.flatten, self.transpose, self.reshape],
        }
        return [*common, self.concat, *by_rank[rank]]

    def pick(self, *options):
        return options[self.random.integers(len(options))]

    def pick_index(self, options: list) -> int:
        return int(self.random.integers(len(options)))

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def norm(self, x: str, shape: Shape, out: str) -> Shape:
        self.net.batch_norm(x, shape[1], out=out)
        return shape

    def arithmetic(self, x: str, shape: Shape, out: str) -> Shape:
        channels = [shape[1]] + [1] * (len(shape) - 2)
        some = [dim if self.chance(0.5) else 1 for dim in shape]
        values = self.random.uniform(0.3, 2.0, self.pick([], channels, [1, *channels], some))
        k = self.net.constant(f"{out}_k", values * self.pick(1, 1, -1))
        op = self.pick("Mul", "Add", "Sub", "Div")
        first = op != "Div" and self.chance(0.5)
        self.net.node(op, *((k, x) if first else (x, k)), out=out)
        return shape

    def rectify(self, x: str, shape: Shape, out: str) -> Shape:
        self.net.node(self.pick("Relu", "LeakyRelu", "Neg", "Identity"), x, out=out)
        return shape

    def clip(self, x: str, shape: Shape, out: str) -> Shape:
        bounds = [self.net.constant(f"{out}_lo", -1.5), self.net.constant(f"{out}_hi", 2.0)]
        self.net.node("Clip", x, *self.pick(bounds, bounds[:1], ["", bounds[1]]), out=out)
        return shape

    def pick_some(self, x: str, shape: Shape, out: str) -> Shape | None:
        axis = self.pick_index(shape)
        if shape[axis] < 3:
            return None
        if self.chance(0.5):
            indices = self.random.integers(-shape[axis], shape[axis], 3)
            self.net.node("Gather", x, self.net.constant(f"{out}_i", indices), out=out, axis=axis)
            return [*shape[:axis], 3, *shape[axis + 1 :]]
        start, end, step = self.pick((0, 2, 1), (1, 9, 2), (-1, -9, -2), (-2, 9, 1))
        given = {"s": start, "e": end, "a": axis, "t": step}
        names = [self.net.constant(f"{out}_{k}", np.array([v])) for k, v in given.items()]
        self.net.node("Slice", x, *names, out=out)
        size = len(range(shape[axis])[start : None if end == -9 else end : step])
        return [*shape[:axis], size, *shape[axis + 1 :]]

    def sum_with_map(self, x: str, shape: Shape, out: str) -> Shape:
        others = [name for name, other in self.tensors if other == shape]
        added = self.net.normal(f"{out}_m", *shape[self.pick(0, 1) :])
        self.net.node("Sum", x, *([self.pick(*others)] * self.pick(0, 1)), added, out=out)
        return shape

    def resize(self, x: str, shape: Shape, out: str) -> Shape | None:
        if shape[2] * shape[3] > 40:
            return None
        scales = self.net.constant(
            f"{out}_s", np.array([1, 1, 2, 1], np.float32), ir.DataType.FLOAT
        )
        roi = self.net.constant(f"{out}_r", np.zeros(0), ir.DataType.FLOAT)
        self.net.node("Resize", x, roi, scales, out=out, mode=self.pick("nearest", "linear"))
        return [*shape[:2], 2 * shape[2], shape[3]]

    def instance_norm(self, x: str, shape: Shape, out: str) -> Shape:
        weights = [self.net.normal(f"{out}_{one}", shape[1]) for one in "sb"]
        self.net.node("InstanceNormalization", x, *weights, out=out)
        return shape

    def join(self, x: str, shape: Shape, out: str) -> Shape:
        others = [name for name, other in self.tensors if other == shape]
        self.net.node(self.pick("Add", "Sub"), x, self.pick(*others), out=out)
        return shape

    def concat(self, x: str, shape: Shape, out: str) -> Shape | None:
        axis = self.pick_index(shape)
        rest = shape[:axis] + shape[axis + 1 :]
        fits = [
            (name, other)
            for name, other in self.tensors
            if len(other) == len(shape) and other[:axis] + other[axis + 1 :] == rest
        ]
        name, other = self.pick(*fits)
        self.net.node("Concat", x, name, out=out, axis=axis)
        return [*shape[:axis], shape[axis] + other[axis], *shape[axis + 1 :]]

    def conv(self, x: str, shape: Shape, out: str) -> Shape | None:
        kernel, strides = [self.pick(1, 2, 3) for _ in "hw"], [self.pick(1, 2) for _ in "hw"]
        pads = self.pick([0] * 4, [1, 0, 0, 1])
        sizes = self._sizes(shape, kernel, strides, pads)
        group = 2 if shape[1] % 2 == 0 and self.chance(0.3) else 1
        if min(sizes) < 1:
            return None
        attrs = {"group": group, "bias": self.chance(0.6), "pads": pads, "strides": strides}
        self.net.conv(x, shape[1], 4, *kernel, out=out, **attrs)
        return [shape[0], 4, *sizes]

    def conv_transpose(self, x: str, shape: Shape, out: str) -> Shape | None:
        if shape[2] * shape[3] > 80:
            return None
        group = 2 if shape[1] % 2 == 0 and self.chance(0.4) else 1
        attrs = {"group": group, "bias": self.chance(0.6), "pads": [1, 0, 0, 1], "strides": [2, 1]}
        self.net.conv_transpose(x, shape[1], 4, 2, 3, out=out, **attrs)
        return [shape[0], 4, 2 * shape[2] - 1, shape[3] + 1]

    def pool(self, x: str, shape: Shape, out: str) -> Shape | None:
        strides, pads = [self.pick(1, 2) for _ in "hw"], self.pick([0] * 4, [1, 0, 0, 1])
        sizes = self._sizes(shape, [2, 2], strides, pads)
        if min(sizes) < 1:
            return None
        attrs = {"kernel_shape": [2, 2], "strides": strides, "pads": pads}
        self.net.node(self.pick("MaxPool", "AveragePool"), x, out=out, **attrs)
        return [*shape[:2], *sizes]

    def pad(self, x: str, shape: Shape, out: str) -> Shape:
        amounts = self.net.constant(f"{out}_p", np.array([0, 0, 1, 0, 0, 0, 0, 1]))
        self.net.node("Pad", x, amounts, out=out)
        return [*shape[:2], shape[2] + 1, shape[3] + 1]

    def flatten(self, x: str, shape: Shape, out: str) -> Shape:
        self.net.node("Flatten", x, out=out)
        return [shape[0], int(np.prod(shape[1:]))]

    def reshape(self, x: str, shape: Shape, out: str) -> Shape:
        target = self.pick([*shape[:2], shape[2] * shape[3]], [shape[0] * shape[1], *shape[2:]])
        self.net.node("Reshape", x, self.net.constant(f"{out}_s", np.array(target)), out=out)
        return target

    def transpose(self, x: str, shape: Shape, out: str) -> Shape:
        perm = [int(axis) for axis in self.random.permutation(len(shape))]
        self.net.node("Transpose", x, out=out, perm=perm)
        return [shape[axis] for axis in perm]

    def gemm(self, x: str, shape: Shape, out: str) -> Shape:
        turned, bias = self.chance(0.5), self.chance(0.6)
        weight = self.net.normal(f"{out}_w", *((4, shape[1]) if turned else (shape[1], 4)))
        extra = [self.net.normal(f"{out}_b", 4)] if bias else []
        attrs = {"transB": int(turned), "alpha": 0.5, "beta": self.pick(1.0, -2.0)}
        self.net.node("Gemm", x, weight, *extra, out=out, **attrs)
        return [shape[0], 4]

    def matmul(self, x: str, shape: Shape, out: str) -> Shape:
        if self.chance(0.7):
            self.net.node("MatMul", x, self.net.normal(f"{out}_w", shape[-1], 4), out=out)
            return [*shape[:-1], 4]
        self.net.node("MatMul", self.net.normal(f"{out}_w", 4, shape[-2]), x, out=out)
        return [*shape[:-2], 4, shape[-1]]

    @staticmethod
    def _sizes(shape: Shape, kernel: Shape, strides: Shape, pads: Shape) -> Shape:
        return [
            (shape[2 + i] + pads[i] + pads[2 + i] - kernel[i]) // strides[i] + 1 for i in range(2)
        ]
