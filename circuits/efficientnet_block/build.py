"""An MBConv of EfficientNet: expand, depthwise, squeeze and excite, project, add; SiLU."""

from circuits.building import Net

CHANNELS, EXPANSION, SQUEEZED = 4, 4, 2


def build() -> Net:
    """Image 4x5x5 to 4x5x5."""
    net = Net("efficientnet_block")
    image = net.image(CHANNELS, 5, 5)
    wide = CHANNELS * EXPANSION
    x = _silu(net, "expand", net.norm("expand_bn", _pointwise(net, "expand", image, wide)))
    x = net.norm("depthwise_bn", net.depthwise("depthwise", x, bias=False))
    x = _silu(net, "depthwise", x)
    gate = net("GlobalAveragePool", "squeeze", x)
    gate = _silu(net, "reduce", net.conv("reduce", gate, SQUEEZED, (1, 1)))
    gate = net("Sigmoid", "gate", net.conv("excite", gate, wide, (1, 1)))
    x = net("Mul", "excited", x, gate)
    x = net.norm("project_bn", _pointwise(net, "project", x, CHANNELS))
    net("Add", "sum", x, image)
    return net


def _pointwise(net: Net, name: str, source: str, outputs: int) -> str:
    return net.conv(name, source, outputs, (1, 1), bias=False)


def _silu(net: Net, name: str, source: str) -> str:
    return net("Mul", f"{name}_silu", source, net("Sigmoid", f"{name}_sigmoid", source))
