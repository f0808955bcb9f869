"""Equal fingerprints mean equal models: the outline serialised, with a digest of each large weight.

The runner compares models before and after every pass. Serialising the weights each time would cost
more than all passes together, and they hardly ever change. A weight that makes its values when
asked always makes the same: it is known by what makes it. One that cannot be written to is digested
once, any other every time.
"""

import hashlib

import onnx_ir as ir

from zkprep.models.outline import is_lazy, outline


class Fingerprints:
    """Fingerprints of the models of one run, which share most of their weights."""

    def __init__(self) -> None:
        """Know no weight yet."""
        # The tensor is kept beside its digest, so that its identity is not given to another.
        self._known: dict[int, tuple[ir.TensorProtocol, bytes]] = {}

    def of(self, model: ir.Model) -> bytes:
        """The fingerprint of `model` as it is now."""
        proto, weights = outline(model)
        digests = [name.encode() + self._digest(tensor) for name, tensor in weights.items()]
        return bytes(proto.SerializeToString(deterministic=True)) + b"".join(digests)

    def _digest(self, tensor: ir.TensorProtocol) -> bytes:
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        if is_lazy(tensor):
            digest = f"lazy {len(self._known)}".encode()
        else:
            digest = hashlib.sha256(tensor.tobytes()).digest()
            if tensor.numpy().flags.writeable:
                return digest
        self._known[id(tensor)] = (tensor, digest)
        return digest
