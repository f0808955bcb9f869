"""ResNet-8 of MLPerf Tiny (mlcommons/tiny, image classification), layer by layer; random weights.

Keras padding, a bias before every BatchNormalization, shortcuts without one, no softmax.
"""

from circuits.building import Net, same

EPSILON = 1e-3


def build(filters: int = 16) -> Net:
    """Image 3x32x32 to 10 logits; the repository's newer default has 26 filters."""
    net = Net("resnet8")
    x = net.relu("relu0", _conv_norm(net, "0", net.image(3, 32, 32), filters, 1))
    for stack, stride in enumerate((1, 2, 2), start=1):
        channels = filters << (stack - 1)
        y = net.relu(f"relu{stack}a", _conv_norm(net, f"{stack}a", x, channels, stride))
        y = _conv_norm(net, f"{stack}b", y, channels, 1)
        if stride > 1:
            x = net.conv(f"shortcut{stack}", x, channels, (1, 1), stride=stride)
        x = net.relu(f"relu{stack}", net("Add", f"add{stack}", x, y))
    x = net("Flatten", "flatten", net.pool("AveragePool", "pool", x, 8, 8), axis=1)
    net.dense("logits", x, 10)
    return net


def _conv_norm(net: Net, name: str, source: str, channels: int, stride: int) -> str:
    pads = same(3, stride, net.values[source].shape[2])
    made = net.conv(f"conv{name}", source, channels, (3, 3), stride=stride, pads=pads)
    return net.norm(f"bn{name}", made, EPSILON)
