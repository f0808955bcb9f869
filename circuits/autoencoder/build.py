"""The autoencoder of MLPerf Tiny (mlcommons/tiny, anomaly detection); random weights."""

from circuits.building import Net

EPSILON = 1e-3
WIDTHS = (128, 128, 128, 128, 8, 128, 128, 128, 128)


def build() -> Net:
    """Features 640 to their reconstruction, 640."""
    net = Net("autoencoder")
    x = net.features(640)
    for layer, width in enumerate(WIDTHS, start=1):
        x = net.norm(f"bn{layer}", net.dense(f"fc{layer}", x, width), EPSILON)
        x = net.relu(f"relu{layer}", x)
    net.dense("reconstruction", x, 640)
    return net
