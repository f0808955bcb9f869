"""Two layers of a transformer's encoder: attention over two heads, LayerNorm after each, ReLU."""

import numpy as np

from circuits.building import Net

TOKENS, WIDTH, HEADS, HIDDEN = 4, 8, 2, 16


def build() -> Net:
    """Embedded tokens 4x8 to 4x8."""
    net = Net("transformer_encoder")
    x = net.features(TOKENS, WIDTH, name="tokens")
    for layer in ("first", "second"):
        x = _normed(net, f"{layer}.norm1", x, _attention(net, layer, x))
        y = net.relu(f"{layer}.relu", _linear(net, f"{layer}.up", x, HIDDEN))
        x = _normed(net, f"{layer}.norm2", x, _linear(net, f"{layer}.down", y, WIDTH))
    return net


def _attention(net: Net, layer: str, source: str) -> str:
    query, key, value = (
        _heads(net, f"{layer}.{part}", source, turned=part == "key")
        for part in ("query", "key", "value")
    )
    scores = net("MatMul", f"{layer}.scores", query, key)
    scale = net.constant(f"{layer}.scale", (WIDTH / HEADS) ** 0.5)
    weights = net(
        "Softmax", f"{layer}.weights", net("Div", f"{layer}.scaled", scores, scale), axis=-1
    )
    mixed = net("MatMul", f"{layer}.mixed", weights, value)
    mixed = net("Transpose", f"{layer}.together", mixed, perm=[0, 2, 1, 3])
    shape = net.constant(f"{layer}.shape", np.array([0, TOKENS, WIDTH], dtype=np.int64))
    return _linear(net, f"{layer}.out", net("Reshape", f"{layer}.joined", mixed, shape), WIDTH)


def _heads(net: Net, name: str, source: str, *, turned: bool) -> str:
    """(N, heads, tokens, share), or with its last two axes exchanged."""
    made = _linear(net, name, source, WIDTH)
    split = np.array([0, TOKENS, HEADS, WIDTH // HEADS], dtype=np.int64)
    made = net("Reshape", f"{name}.split", made, net.constant(f"{name}.shape", split))
    return net("Transpose", f"{name}.heads", made, perm=[0, 2, 3, 1] if turned else [0, 2, 1, 3])


def _linear(net: Net, name: str, source: str, outputs: int) -> str:
    inputs = net.values[source].shape[-1]
    product = net(
        "MatMul",
        f"{name}.product",
        source,
        net.he(f"{name}.weight", (inputs, outputs), inputs, 1.0),
    )
    return net(
        "Add", name, product, net.constant(f"{name}.bias", net.random.normal(0, 0.05, outputs))
    )


def _normed(net: Net, name: str, source: str, added: str) -> str:
    scale = net.constant(f"{name}.scale", net.random.uniform(0.6, 1.4, WIDTH))
    shift = net.constant(f"{name}.shift", net.random.normal(0, 0.2, WIDTH))
    total = net("Add", f"{name}.sum", source, added)
    return net("LayerNormalization", name, total, scale, shift, axis=-1, epsilon=1e-5)
