"""A block of VGG-16 with BatchNormalization: two 3x3 Convs with biases, then MaxPool."""

from circuits.building import Net

CHANNELS = 6


def build() -> Net:
    """Image 3x8x8 to 6x4x4."""
    net = Net("vgg_block")
    x = net.image(3, 8, 8)
    for layer in (1, 2):
        x = net.conv(f"conv{layer}", x, CHANNELS, (3, 3), pads=(1,) * 4)
        x = net.relu(f"relu{layer}", net.norm(f"bn{layer}", x))
    net.pool("MaxPool", "pool", x, 2, 2)
    return net
