"""Slices, gathers and resizes between; clips in networks."""

import numpy as np
from combinations import case

from benchmarks.fusion.building import Net


@case("Resize Conv")
def resize_nearest_forward(n: Net) -> str:
    x = n("Mul", n.x(1, 3, 4, 4), n.normal(3, 1, 1))
    x = n("Resize", x, "", n.k(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    return n.conv(x, 3, 4, 3, 3)


@case("Conv Slice")
def slice_channels(n: Net) -> str:
    x = n(
        "Slice",
        n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3),
        n.k(np.array([1])),
        n.k(np.array([3])),
        n.k(np.array([1])),
    )
    return n.bn(x, 2)


@case("Conv Slice")
def slice_spatial(n: Net) -> str:
    x = n(
        "Slice",
        n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3),
        n.k(np.array([1])),
        n.k(np.array([3])),
        n.k(np.array([2])),
    )
    return n.bn(x, 4)


@case("Conv Upsample", opset=9)
def upsample9(n: Net) -> str:
    return n(
        "Mul",
        n(
            "Upsample",
            n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3),
            n.k(np.array([1, 1, 2, 2], np.float32)),
            mode="nearest",
        ),
        n.normal(4, 1, 1),
    )


@case("Conv DepthToSpace")
def scalar_pixel_shuffle(n: Net) -> str:
    return n("Mul", n("DepthToSpace", n.conv(n.x(1, 3, 4, 4), 3, 8, 3, 3), blocksize=2), n.k(2.0))


@case("Conv Expand")
def scalar_expand(n: Net) -> str:
    return n(
        "Mul",
        n("Expand", n.conv(n.x(1, 3, 4, 4), 3, 1, 3, 3), n.k(np.array([1, 5, 2, 2]))),
        n.k(2.0),
    )


@case("Conv Gather")
def channel_shuffle_gather(n: Net) -> str:
    return n(
        "Mul",
        n("Gather", n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3), n.k(np.array([2, 0, 1, 3])), axis=1),
        n.normal(4, 1, 1),
    )


@case("Conv Reshape Transpose Reshape BatchNormalization", "rearranges the channels")
def shufflenet(n: Net) -> str:
    x = n.conv(n.x(1, 3, 4, 4), 3, 6, 3, 3)
    x = n("Reshape", x, n.k(np.array([1, 2, 3, 2, 2])))
    x = n("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = n("Reshape", x, n.k(np.array([1, 6, 2, 2])))
    return n.bn(x, 6)


@case("Conv Slice", opset=9)
def slice_by_attribute(n: Net) -> str:
    x = n.conv(n.x(1, 3, 6, 6), 3, 5, 3, 3)
    return n.bn(n("Slice", x, starts=[1], ends=[1000], axes=[1]), 4)


@case("Conv Slice")
def slice_backwards(n: Net) -> str:
    x = n(
        "Slice",
        n.conv(n.x(1, 3, 6, 6), 3, 5, 3, 3),
        n.k(np.array([-1])),
        n.k(np.array([-1000])),
        n.k(np.array([1])),
        n.k(np.array([-2])),
    )
    return n.bn(x, 3)


@case("Slice Conv")
def slice_forward(n: Net) -> str:
    x = n(
        "Slice",
        n("Mul", n.x(1, 5, 6, 6), n.normal(5, 1, 1)),
        n.k(np.array([1])),
        n.k(np.array([4])),
        n.k(np.array([1])),
    )
    return n.conv(x, 3, 4, 3, 3)


@case("Conv Gather BatchNormalization", "that differ afterwards")
def gather_twice(n: Net) -> str:
    return n.bn(
        n("Gather", n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3), n.k(np.array([2, 0, 2])), axis=1), 3
    )


@case("Conv Gather BatchNormalization", "rearranges the channels")
def gather_scalar(n: Net) -> str:
    return n.bn(n("Gather", n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3), n.k(np.array(1)), axis=2), 4)


@case("SpaceToDepth Conv")
def space_to_depth(n: Net) -> str:
    return n.conv(n("SpaceToDepth", n.bn(n.x(1, 3, 4, 4), 3), blocksize=2), 12, 4, 1, 1)


@case("Conv Resize")
def resize_linear(n: Net) -> str:
    return n.bn(
        n(
            "Resize",
            n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3),
            "",
            n.k(np.array([1, 1, 2.5, 3], np.float32)),
            mode="linear",
        ),
        4,
    )


@case("Conv Resize")
def resize_cubic(n: Net) -> str:
    return n.bn(
        n(
            "Resize",
            n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3),
            "",
            n.k(np.array([1, 1, 2, 2], np.float32)),
            mode="cubic",
            exclude_outside=1,
        ),
        4,
    )


@case("Conv Clip Conv Clip Conv")
def mobilenetv2_relu6(n: Net) -> str:
    x = n("Clip", n.bn(n.conv(n.x(1, 4, 6, 6), 4, 8, 1, 1, bias=False), 8), n.k(0.0), n.k(6.0))
    x = n(
        "Clip",
        n.bn(n.conv(x, 8, 8, 3, 3, group=8, pads=[1] * 4, bias=False), 8),
        n.k(0.0),
        n.k(6.0),
    )
    return n.bn(n.conv(x, 8, 4, 1, 1, bias=False), 4)


@case("Conv Clip MaxPool")
def clip_then_pool(n: Net) -> str:
    return n(
        "Mul",
        n(
            "MaxPool",
            n("Clip", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(0.0), n.k(1.0)),
            kernel_shape=[2, 2],
        ),
        n.k(4.0),
    )


@case("Conv Conv Concat Clip")
def clip_behind_concat(n: Net) -> str:
    a, b = n.conv(n.x(1, 3, 5, 5), 3, 2, 3, 3), n.conv("x", 3, 5, 3, 3)
    return n("Mul", n("Clip", n("Concat", a, b, axis=1), n.k(0.0), n.k(1.0)), n.k(4.0))


@case("Conv Clip Conv Clip Concat")
def clips_before_concat_share_bounds(n: Net) -> str:
    lo, hi = n.k(0.0), n.k(1.0)
    a, b = (
        n("Clip", n.conv(n.x(1, 3, 5, 5), 3, 2, 3, 3), lo, hi),
        n("Clip", n.conv("x", 3, 5, 3, 3), lo, hi),
    )
    return n("Add", n("Mul", n("Concat", a, b, axis=1), n.k(4.0)), n.k(1.5))


@case("Conv Expand")
def expand_batch(n: Net) -> str:
    return n.bn(n("Expand", n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3), n.k(np.array([5, 4, 2, 2]))), 4)
