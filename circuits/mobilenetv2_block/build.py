"""An inverted residual of MobileNetV2: expand, depthwise, project, add; ReLU6, biases left out."""

from circuits.building import Net

CHANNELS, EXPANSION = 6, 4


def build() -> Net:
    """Image 3x8x8 through a stem and one block, to 6x4x4."""
    net = Net("mobilenetv2_block")
    x = net.conv("stem", net.image(3, 8, 8), CHANNELS, (3, 3), stride=2, pads=(1,) * 4, bias=False)
    x = _relu6(net, "stem_relu", net.norm("stem_bn", x))
    y = net.conv("expand", x, CHANNELS * EXPANSION, (1, 1), bias=False)
    y = _relu6(net, "expand_relu", net.norm("expand_bn", y))
    y = _relu6(
        net, "depthwise_relu", net.norm("depthwise_bn", net.depthwise("depthwise", y, bias=False))
    )
    y = net.norm("project_bn", net.conv("project", y, CHANNELS, (1, 1), bias=False))
    net("Add", "sum", x, y)
    return net


def _relu6(net: Net, name: str, source: str) -> str:
    bounds = [net.constant(f"{name}.{key}", value) for key, value in (("min", 0.0), ("max", 6.0))]
    return net("Clip", name, source, *bounds)
