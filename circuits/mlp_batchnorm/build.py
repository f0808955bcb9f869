"""A multi-layer perceptron with BatchNormalization1d after each hidden layer."""

from circuits.building import Net


def build() -> Net:
    """Features 64 to 10 logits."""
    net = Net("mlp_batchnorm")
    x = net.features(64)
    for layer, width in ((1, 48), (2, 32)):
        x = net.norm(f"bn{layer}", net.dense(f"fc{layer}", x, width))
        x = net.relu(f"relu{layer}", x)
    net.dense("logits", x, 10)
    return net
