"""LeNet-5 as PyTorch tutorials have it: no BatchNormalization, so nothing to fold."""

from circuits.building import Net


def build() -> Net:
    """Image 1x28x28 to 10 logits."""
    net = Net("lenet5")
    x = net.image(1, 28, 28)
    x = net.relu("relu1", net.conv("conv1", x, 6, (5, 5), pads=(2, 2, 2, 2)))
    x = net.pool("MaxPool", "pool1", x, 2, 2)
    x = net.relu("relu2", net.conv("conv2", x, 16, (5, 5)))
    x = net("Flatten", "flatten", net.pool("MaxPool", "pool2", x, 2, 2), axis=1)
    x = net.relu("relu3", net.dense("fc1", x, 120))
    x = net.relu("relu4", net.dense("fc2", x, 84))
    net.dense("logits", x, 10)
    return net
