"""MobileNetV1-0.25 of MLPerf Tiny (mlcommons/tiny, visual wake words); random weights.

Keras padding, a bias before every BatchNormalization, no softmax.
"""

from circuits.building import Net, same

EPSILON = 1e-3
BLOCKS = (
    (1, 16),
    (2, 32),
    (1, 32),
    (2, 64),
    (1, 64),
    (2, 128),
    *[(1, 128)] * 5,
    (2, 256),
    (1, 256),
)
"""Stride of the depthwise Conv and channels of the pointwise one."""


def build() -> Net:
    """Image 3x96x96 to 2 logits."""
    net = Net("vww")
    x = net.conv("conv0", net.image(3, 96, 96), 8, (3, 3), stride=2, pads=same(3, 2, 96))
    x = _norm_relu(net, "0", x)
    for block, (stride, channels) in enumerate(BLOCKS, start=1):
        x = _norm_relu(net, f"{block}d", net.depthwise(f"depthwise{block}", x, stride))
        x = _norm_relu(net, f"{block}p", net.conv(f"pointwise{block}", x, channels, (1, 1)))
    x = net("Flatten", "flatten", net.pool("AveragePool", "pool", x, 3, 3), axis=1)
    net.dense("logits", x, 2)
    return net


def _norm_relu(net: Net, name: str, source: str) -> str:
    return net.relu(f"relu{name}", net.norm(f"bn{name}", source, EPSILON))
