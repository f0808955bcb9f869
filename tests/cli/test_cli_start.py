"""The command line starts without what its answer does not need; so does the verifier."""

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


def test_the_verifier_is_small() -> None:
    heavy = ("onnx", "onnx_ir", "onnxruntime", "networkx", "slicer", "zkprep.passes", "ezkl")
    code = (
        "import sys, zkprep.verifying.audit, zkprep.backends.ezkl\n"
        f"loaded = [name for name in {heavy} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
