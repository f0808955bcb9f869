"""Resizing, and other moves in space."""

from collections.abc import Iterator

from models import (
    Case,
    case,
    constant,
    floats,
    indices,
    weights,
)


def resampling() -> Iterator[Case]:
    x, double = floats(1, 2, 3, 3), constant([1, 1, 2, 2])
    asymmetric = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    yield case("Upsample", "nearest", x, double, opset=9, mode="nearest")
    yield case("Upsample", "linear", x, double, opset=9, mode="linear")
    yield case(
        "Upsample",
        "opset 7",
        x,
        opset=7,
        mode="nearest",
        scales=[1.0, 1.0, 2.0, 2.0],
        types=[(1, (1, 2, 6, 6))],
    )
    yield case("Resize", "nearest scales, default", x, None, double, mode="nearest")
    yield case(
        "Resize",
        "nearest scales, asymmetric floor",
        x,
        None,
        double,
        **asymmetric,
        nearest_mode="floor",
    )
    for mode in ("round_prefer_floor", "round_prefer_ceil", "ceil"):
        yield case(
            "Resize",
            f"nearest scales, asymmetric {mode}",
            x,
            None,
            double,
            **asymmetric,
            nearest_mode=mode,
        )
    yield case(
        "Resize",
        "nearest by 3",
        x,
        None,
        constant([1, 1, 3, 3]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest by 3, round_prefer_floor",
        x,
        None,
        constant([1, 1, 3, 3]),
        **asymmetric,
        nearest_mode="round_prefer_floor",
    )
    yield case("Resize", "nearest by 4, default", x, None, constant([1, 1, 4, 4]), mode="nearest")
    yield case(
        "Resize",
        "nearest unequal scales",
        x,
        None,
        constant([1, 1, 2, 3]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest by 1.5",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 1.5, 1.5]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest halved",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 0.5, 0.5]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case("Resize", "nearest sizes", x, None, None, indices(1, 2, 6, 6), mode="nearest")
    yield case(
        "Resize",
        "nearest sizes, asymmetric floor",
        x,
        None,
        None,
        indices(1, 2, 6, 6),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest align_corners",
        x,
        None,
        double,
        mode="nearest",
        coordinate_transformation_mode="align_corners",
    )
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
        yield case(
            "Resize",
            f"linear {mode}",
            x,
            None,
            double,
            mode="linear",
            coordinate_transformation_mode=mode,
        )
    yield case(
        "Resize", "linear, nearest_mode floor", x, None, double, mode="linear", nearest_mode="floor"
    )
    yield case("Resize", "linear sizes", x, None, None, indices(1, 2, 5, 7), mode="linear")
    yield case(
        "Resize",
        "linear halved",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 0.5, 0.5]),
        mode="linear",
    )
    yield case("Resize", "cubic", x, None, double, mode="cubic")
    yield case(
        "Resize",
        "nearest in channels",
        x,
        None,
        constant([1, 2, 1, 1]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case("Resize", "opset 10", x, double, opset=10, mode="nearest")
    yield case(
        "Resize",
        "antialias",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 0.5, 0.5]),
        mode="linear",
        antialias=1,
        opset=18,
    )
    yield case("DepthToSpace", "DCR", floats(1, 8, 2, 3), blocksize=2)
    yield case("DepthToSpace", "CRD", floats(1, 8, 2, 3), blocksize=2, mode="CRD")
    yield case("DepthToSpace", "batch 2", floats(2, 4, 2, 2), blocksize=2)
    yield case("SpaceToDepth", "blocksize 2", floats(1, 2, 4, 6), blocksize=2)
    yield case("GridSample", "default", x, floats(1, 2, 2, 2, draw="unit"), opset=20)
    yield case("AffineGrid", "2d", floats(1, 2, 3), indices(1, 2, 3, 3), opset=20)
    yield case("RoiAlign", "default", x, constant([[0, 0, 2, 2]]), indices(0))
    yield case("MaxRoiPool", "default", x, constant([[0, 0, 0, 2, 2]]), pooled_shape=[1, 1])
    yield case("Col2Im", "default", floats(1, 4, 4), indices(3, 3), indices(2, 2), opset=18)
    yield case(
        "DeformConv",
        "default",
        floats(1, 1, 3, 3),
        weights(1, 1, 2, 2),
        floats(1, 8, 2, 2),
        opset=19,
    )
    yield case("CenterCropPad", "crop", floats(4, 4), indices(2, 2), opset=18)


def cases() -> Iterator[Case]:
    yield from resampling()
