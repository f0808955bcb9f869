"""A residual block of ResNet v2: BatchNormalization and ReLU come before each Conv."""

from circuits.building import Net

CHANNELS = 6


def build() -> Net:
    """Image 3x8x8 through a stem and one block, to 6x8x8."""
    net = Net("preactivation_block")
    x = net.conv("stem", net.image(3, 8, 8), CHANNELS, (3, 3), pads=(1,) * 4, bias=False)
    y = net.relu("relu1", net.norm("bn1", x))
    y = net.conv("conv1", y, CHANNELS, (3, 3), pads=(1,) * 4, bias=False)
    y = net.relu("relu2", net.norm("bn2", y))
    y = net.conv("conv2", y, CHANNELS, (3, 3), pads=(1,) * 4, bias=False)
    net("Add", "sum", x, y)
    return net
