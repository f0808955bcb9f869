"""`zkprep --help` answers without loading ONNX, the prover or numpy."""

import subprocess
import sys

HEAVY = ("onnx", "onnx_ir", "onnxruntime", "numpy", "networkx", "ezkl")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, zkprep.cli\n"
        f"loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
