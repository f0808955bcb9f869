"""Equal fingerprints mean equal models: the serialised model, with a digest for each large weight.

The runner compares models before and after every pass. Serialising the weights each time would cost
more than all passes together, and they hardly ever change: a weight that cannot be written to is
digested once, any other every time.
"""

import hashlib

import onnx_ir as ir

_LARGE = 1024


class Fingerprints:
    """Fingerprints of the models of one run, which share most of their weights."""

    def __init__(self) -> None:
        """Know no weight yet."""
        # The tensor is kept beside its digest, so that its identity is not given to another.
        self._known: dict[int, tuple[ir.TensorProtocol, bytes]] = {}

    def of(self, model: ir.Model) -> bytes:
        """The fingerprint of `model` as it is now."""
        proto = ir.to_proto(model)
        digests = []
        for value, stored in zip(
            model.graph.initializers.values(), proto.graph.initializer, strict=True
        ):
            tensor = value.const_value
            if tensor is not None and len(stored.raw_data) >= _LARGE:
                digests.append(self._digest(tensor, stored.raw_data))
                stored.ClearField("raw_data")
        return bytes(proto.SerializeToString(deterministic=True)) + b"".join(digests)

    def _digest(self, tensor: ir.TensorProtocol, data: bytes) -> bytes:
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        digest = hashlib.sha256(data).digest()
        if not tensor.numpy().flags.writeable:
            self._known[id(tensor)] = (tensor, digest)
        return digest
