"""zkprep: the optimizing preprocessor for EZKL.

    import zkprep
    zkprep.fuse_file(src, dst); zkprep.measure(model); zkprep.prove(model, input, out)

The verbs are those of the command line (zkprep.api). They are loaded when first used, so that
`import zkprep` and `zkprep --help` stay quick.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zkprep.api import (
        check_model,
        compare,
        measure,
        prove,
        slice_model,
        verify,
    )
    from zkprep.fusing import fuse_file, fuse_model
    from zkprep.options import InputVisibility, Link, Links, Options

__all__ = [
    "InputVisibility",
    "Link",
    "Links",
    "Options",
    "__version__",
    "check_model",
    "compare",
    "fuse_file",
    "fuse_model",
    "measure",
    "prove",
    "slice_model",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'zkprep' has no attribute '{name}'")
    # Fusion alone needs little of the rest.
    if name.startswith("fuse_"):
        from zkprep import fusing

        return getattr(fusing, name)
    if name[0].isupper():
        from zkprep import options

        return getattr(options, name)
    from zkprep import api

    return getattr(api, name)
