"""Models that must stay as they are, each with the sentence a user reads."""

from collections.abc import Callable, Iterator

import onnx_ir as ir
from net import Net, check_kept


class Guards:
    """Builders of models that nothing may be folded in, by the name of the builder."""

    def __init__(self) -> None:
        self._builders: dict[str, tuple[Callable[[], Net | ir.Model], str]] = {}

    def __call__(
        self, reason: str, kept: str = "'n_y'", linear: str = "'n_c'"
    ) -> Callable[[Callable[[], Net | ir.Model]], None]:
        """Register a builder; `reason` is why `kept` stays apart from `linear`."""
        apart = f" apart from {linear}" if linear else ""

        def register(build: Callable[[], Net | ir.Model]) -> None:
            self._builders[build.__name__] = (build, f"kept {kept}{apart}: {reason}")

        return register

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def check(self, name: str) -> None:
        """Nothing happens to the model, and its reason is given."""
        build, message = self._builders[name]
        made = build()
        check_kept(made.output("y").model() if isinstance(made, Net) else made, message)


def image(net: Net, *, shape: tuple[int | str, ...] = (2, 3, 6, 5), **attrs: object) -> str:
    """The output of a convolution from 3 to 4 channels."""
    net.input("x", *shape)
    return net.conv("x", 3, 4, 3, 3, **attrs)
