"""The first bottleneck of a stage of ResNet-50: 1x1, 3x3, 1x1, and a projected shortcut."""

from circuits.building import Net

INPUTS, NARROW, WIDE = 8, 4, 16


def build() -> Net:
    """Activations 8x6x6 to 16x6x6."""
    net = Net("resnet50_bottleneck")
    image = net.image(INPUTS, 6, 6)
    x = net.relu("relu1", net.norm("bn1", net.conv("conv1", image, NARROW, (1, 1), bias=False)))
    x = net.conv("conv2", x, NARROW, (3, 3), pads=(1,) * 4, bias=False)
    x = net.relu("relu2", net.norm("bn2", x))
    x = net.norm("bn3", net.conv("conv3", x, WIDE, (1, 1), bias=False))
    shortcut = net.conv("downsample", image, WIDE, (1, 1), bias=False)
    net.relu("relu3", net("Add", "sum", x, net.norm("downsample_bn", shortcut)))
    return net
