"""A step of a U-Net: down, up again by ConvTranspose, and the skip joined by Concat."""

from circuits.building import Net

CHANNELS = 4


def build() -> Net:
    """Image 1x8x8 to a mask of logits, 1x8x8."""
    net = Net("unet_step")
    skip = _conv_norm_relu(net, "down", net.image(1, 8, 8), CHANNELS)
    x = net.pool("MaxPool", "pool", skip, 2, 2)
    x = _conv_norm_relu(net, "bottom", x, 2 * CHANNELS)
    x = net(
        "ConvTranspose",
        "up",
        x,
        net.he("up.weight", (2 * CHANNELS, CHANNELS, 2, 2), 2 * CHANNELS),
        net.constant("up.bias", net.random.normal(0, 0.05, CHANNELS)),
        kernel_shape=[2, 2],
        strides=[2, 2],
        pads=[0] * 4,
    )
    x = net.relu("relu_up", net.norm("bn_up", x))
    x = net("Concat", "join", skip, x, axis=1)
    x = _conv_norm_relu(net, "merge", x, CHANNELS)
    net.conv("mask", x, 1, (1, 1))
    return net


def _conv_norm_relu(net: Net, name: str, source: str, outputs: int) -> str:
    made = net.conv(name, source, outputs, (3, 3), pads=(1,) * 4, bias=False)
    return net.relu(f"relu_{name}", net.norm(f"bn_{name}", made))
