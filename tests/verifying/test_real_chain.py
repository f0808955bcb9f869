"""Honest chains of real EZKL proofs, open and hidden: accepted, and what they show."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fuzz_public import real_failures
from honest_chain import Example
from real_chain import HIDDEN, HIDDEN_SPECS, check, circuit, relu_chain

from zkprep.backends.srs import Srs
from zkprep.circuit import column_blocks, read_settings
from zkprep.claims.felts import encode
from zkprep.claims.points import G1_BYTES
from zkprep.errors import BackendError, LinkMismatch, RangeExceeded

pytestmark = pytest.mark.ezkl


def test_no_byte_of_a_proof_may_be_another(opened: Example, hidden: Example) -> None:
    """A few places; `make fuzz` tries more."""
    for chain in (opened, hidden):
        assert list(real_failures(chain, range(5))) == []


def test_honest_chains_are_accepted(opened: Example, hidden: Example) -> None:
    verdict = opened.verify(check)
    assert (verdict.proofs, verdict.links, verdict.committed) == (3, 3, 0)
    assert (verdict.inputs["x"].values, verdict.outputs["y"].values) == ((3, -4, 5, 70), (90, 70))
    assert opened.twin().verify(check).outputs["y"].values == (17, 11)
    verdict = hidden.verify(check)
    assert (verdict.proofs, verdict.links, verdict.committed) == (3, 2, 2)
    assert (verdict.inputs, verdict.private) == ({}, ("x",))
    assert verdict.outputs["y"].values == (16,)
    assert hidden.twin().verify(check).outputs["y"].values == (6,)


ZKPREP = "from zkprep.cli import main; main()"


def verify(public: Path, digest: str, *python: str, **changes: Any) -> dict[str, Any]:
    """What the command line says of a public folder."""
    arguments = ["verify", str(public), "--expect", digest, "--allow-test-srs", "--json"]
    done = subprocess.run(
        [*(python or (sys.executable,)), "-c", ZKPREP, *arguments],
        capture_output=True,
        text=True,
        check=False,
        **changes,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ["opened", "hidden"])
def test_a_run_may_be_moved(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    example: Example = request.getfixturevalue(name)
    moved = example.write(tmp_path / "public").rename(tmp_path / "anywhere else")
    said = verify(moved, example.policy.expected, cwd=tmp_path)
    assert said["accepted"] is True
    assert said["digest"] == example.policy.expected


def test_verifying_loads_no_model_tools(opened: Example, tmp_path: Path) -> None:
    """No pass, no slicer, no ONNX: what is not there cannot be attacked."""
    public = opened.write(tmp_path / "public")
    arguments = ["verify", str(public), "--expect", opened.policy.expected, "--allow-test-srs"]
    heavy = ("onnx", "onnx_ir", "onnxruntime", "networkx", "slicer", "zkprep.passes", "zkprep.tune")
    code = (
        f"import sys\nsys.argv = ['zkprep', *{arguments!r}]\n"
        "from zkprep.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["accepted: 3 proofs, 3 links", "[]"]


def test_twenty_slices(
    kept_srs: Callable[[int], Srs], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """ReLU of ReLU of ...: one circuit, twenty times, each proof checked for itself."""
    example = relu_chain(tmp_path_factory.mktemp("relus") / "relu", kept_srs(10), 20)
    verdict = example.verify(check)
    assert (verdict.proofs, verdict.links) == (20, 19)
    assert [t.values for t in (*verdict.inputs.values(), *verdict.outputs.values())] == [
        (6, -8, 10),
        (6, 0, 10),
    ]
    files = example.bundle[0]
    with pytest.raises(LinkMismatch, match="the wire of 't7' from slice 6 to 7: element 1 is 0"):
        example.with_files(7, proof=files.proof).verify(check)


AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
PACKAGES = f"{sysconfig.get_path('purelib')}:{Path(__file__).parents[2]}"


def nobodys_python() -> str | None:
    """An interpreter that the user nobody can start and that can start itself, if there is one.

    Root's own may lie where nobody else may look; the system's does not.
    """
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return None
    code = (
        "import sys, subprocess, zkprep, ezkl; subprocess.run([sys.executable, '-V'], check=True)"
    )
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        environment = {"PYTHONPATH": PACKAGES, "PATH": os.environ["PATH"]}
        tried = [*AS_NOBODY, python, "-c", code]
        done = subprocess.run(tried, capture_output=True, cwd="/", env=environment, check=False)
        if done.returncode == 0:
            return python
    return None


@pytest.mark.parametrize("name", ["opened", "hidden"])
def test_another_user_accepts_it(name: str, request: pytest.FixtureRequest) -> None:
    """With nobody's home, a scratch folder of its own, and files of somebody else's."""
    python = nobodys_python()
    if python is None:
        pytest.skip("not root, or no interpreter here that another user can start")
    example: Example = request.getfixturevalue(name)
    with tempfile.TemporaryDirectory(prefix="zkprep-nobody-") as folder:
        public, scratch = example.write(Path(folder) / "public"), Path(folder) / "tmp"
        scratch.mkdir()
        os.chown(scratch, 65534, 65534)
        Path(folder).chmod(0o755)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": PACKAGES,
            "HOME": "/nonexistent",
            "TMPDIR": str(scratch),
        }
        digest = example.policy.expected
        said = verify(public, digest, *AS_NOBODY, python, cwd="/", env=environment)
        assert said["accepted"] is True
        assert list(scratch.iterdir()) == []


def test_the_proof_of_a_hidden_chain_shows_its_output_alone(hidden: Example) -> None:
    shown = [json.loads(files.proof)["instances"] for files in hidden.bundle]
    assert shown == [[[]], [[]], [[encode(16)]]]


def test_a_private_input_out_of_range_cannot_be_proved_where_the_circuit_checks(
    hidden: Example, kept_srs: Callable[[int], Srs], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And a circuit that does not check it is refused: rule (1g)."""
    with pytest.raises(RangeExceeded):
        hidden.prove(0, b"", [1 << 30, 0, 0])
    folder = tmp_path_factory.mktemp("unchecked")
    spec = msgspec.structs.replace(HIDDEN_SPECS[0], checks_boundary=False)
    with pytest.raises(BackendError, match="neither the circuit nor a verifier"):
        circuit(folder / "circuit", HIDDEN[0], spec, kept_srs(10))


def test_a_commitment_of_two_columns(
    kept_srs: Callable[[int], Srs], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Just short of a column EZKL takes two; their points begin both proofs."""
    length, folder = 1017, tmp_path_factory.mktemp("wide")
    assert column_blocks(length, 1, 10) == 2
    text = '<ir_version: 8, opset_import: ["" : 17]>\nf (float[N] x) => (float[N] y) { y = BODY }'
    bodies = ("Add(x, x)", "Neg(x)")
    specs = (
        msgspec.structs.replace(HIDDEN_SPECS[1], input_visibility="public"),
        HIDDEN_SPECS[2],
    )
    values = list(range(length))
    proofs = []
    for body, spec, given in zip(bodies, specs, (values, [2 * v for v in values]), strict=True):
        model = text.replace("BODY", body).replace("N", str(length), 2)
        made = circuit(folder / body[:3], model, spec, kept_srs(10))
        assert read_settings(made.settings).module_sizes.polycommit == [length]
        proofs.append(bytes(json.loads(made.proof(given))["proof"]))
    assert proofs[0][: 2 * G1_BYTES] == proofs[1][: 2 * G1_BYTES]
    assert proofs[0][: 3 * G1_BYTES] != proofs[1][: 3 * G1_BYTES]
