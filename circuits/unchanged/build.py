"""Where nothing may be rewritten: every BatchNormalization is out of reach of a linear operator.

The Conv's output is read as it is by the last Add, so a BatchNormalization after it cannot be
folded in; between two ReLUs there is nothing to fold into.
"""

from circuits.building import Net

CHANNELS = 4


def build() -> Net:
    """Image 3x8x8 to 4x8x8."""
    net = Net("unchanged")
    raw = net.conv("conv", net.image(3, 8, 8), CHANNELS, (1, 1))
    x = net.relu("relu1", net.norm("bn1", raw))
    x = net.relu("relu2", net.norm("bn2", x))
    net("Add", "sum", raw, x)
    return net
