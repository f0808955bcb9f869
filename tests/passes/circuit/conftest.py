"""Models in ONNX text are parsed as the tests of the repairs do it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "repair"))
