"""DS-CNN of MLPerf Tiny (mlcommons/tiny, keyword spotting), layer by layer; random weights.

Keras padding, a bias before every BatchNormalization, no softmax. The pool of (49 // 2, 10 // 2)
drops the last of 25 rows, as theirs does.
"""

from circuits.building import Net

EPSILON = 1e-3


def build() -> Net:
    """Features 1x49x10 to 12 logits."""
    net = Net("ds_cnn")
    x = net.features(1, 49, 10)
    x = _norm_relu(net, "0", net.conv("conv0", x, 64, (10, 4), stride=2, pads=(4, 1, 5, 1)))
    for block in range(1, 5):
        x = _norm_relu(net, f"{block}d", net.depthwise(f"depthwise{block}", x))
        x = _norm_relu(net, f"{block}p", net.conv(f"pointwise{block}", x, 64, (1, 1)))
    x = net("Flatten", "flatten", net.pool("AveragePool", "pool", x, 24, 5), axis=1)
    net.dense("logits", x, 12)
    return net


def _norm_relu(net: Net, name: str, source: str) -> str:
    return net.relu(f"relu{name}", net.norm(f"bn{name}", source, EPSILON))
