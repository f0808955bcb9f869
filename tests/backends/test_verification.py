"""Which proofs verify, whichever prover is behind it; and what becomes of all others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tiny_slice import SPEC, Files, MakeFiles, Prover

from zkprep.backends import srs
from zkprep.backends.srs_file import small_file
from zkprep.claims.felts import encode
from zkprep.errors import BackendError, ProofRejected


def edit_proof(files: Files, change: Callable[[Any], None]) -> None:
    document = json.loads(files.proof.read_bytes())
    change(document)
    files.proof.write_text(json.dumps(document))


def test_a_proof_verifies_under_the_whole_srs_and_the_small_one(
    prover: Prover, proved: Files
) -> None:
    small = proved.folder / "small.srs"
    small.write_bytes(srs.verifier_file(prover.srs))
    assert prover.verify(proved).seconds > 0
    usage = prover.backend.verify(proved.proof, proved.settings, proved.vk, small)
    assert usage.seconds > 0


def test_a_proof_does_not_verify_under_another_srs(
    prover: Prover, proved: Files, tmp_path: Path
) -> None:
    other = tmp_path / "other.srs"
    prover.backend.gen_srs(other, 6)
    small = tmp_path / "small.srs"
    small.write_bytes(small_file(other, 6))
    with pytest.raises(ProofRejected, match="proof 'proof.json' is not valid"):
        prover.backend.verify(proved.proof, proved.settings, proved.vk, small)


def test_authenticated_fields_are_all_a_proof_needs(prover: Prover, proved: Files) -> None:
    document = json.loads(proved.proof.read_bytes())
    proved.proof.write_text(json.dumps({key: document[key] for key in ("instances", "proof")}))
    assert prover.verify(proved).seconds > 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d["instances"][0].__setitem__(0, encode(12345)), id="input"),
        pytest.param(lambda d: d["instances"][0].__setitem__(-1, encode(-3)), id="output"),
        pytest.param(lambda d: d["instances"][0].pop(), id="missing instance"),
        pytest.param(lambda d: d["instances"][0].__setitem__(0, "zz"), id="no felt"),
        pytest.param(lambda d: d["instances"][0].__setitem__(0, "ff" * 32), id="too large"),
        pytest.param(lambda d: d["instances"].append([]), id="second column"),
        pytest.param(lambda d: d.update(instances=[]), id="no column"),
        pytest.param(lambda d: d["proof"].__setitem__(-1, d["proof"][-1] ^ 1), id="last byte"),
        pytest.param(lambda d: d["proof"].__setitem__(0, d["proof"][0] ^ 1), id="first byte"),
        pytest.param(lambda d: d["proof"].__setitem__(0, 256), id="no byte"),
        pytest.param(lambda d: d.update(proof=d["proof"][:-1]), id="short"),
        pytest.param(lambda d: d.update(proof=[]), id="empty"),
        pytest.param(lambda d: d.pop("proof"), id="no proof"),
    ],
)
def test_an_edited_proof_is_rejected(
    prover: Prover, proved: Files, change: Callable[[Any], None]
) -> None:
    edit_proof(proved, change)
    with pytest.raises(ProofRejected, match="proof 'proof.json' is not valid: "):
        prover.verify(proved)


@pytest.mark.parametrize("name", ["proof", "settings", "vk"])
@pytest.mark.parametrize(
    "data", [b"", b"[" * 10_000, b"\xff\x00" * 40], ids=["empty", "deep", "binary"]
)
def test_garbage_is_rejected(prover: Prover, proved: Files, name: str, data: bytes) -> None:
    getattr(proved, name).write_bytes(data)
    with pytest.raises(ProofRejected, match="is not valid: "):
        prover.verify(proved)


@pytest.mark.parametrize("name", ["proof", "settings", "vk"])
def test_a_missing_file_is_a_rejection(prover: Prover, proved: Files, name: str) -> None:
    path: Path = getattr(proved, name)
    path.unlink()
    with pytest.raises(ProofRejected, match=f"'{path.name}' is missing"):
        prover.verify(proved)


def test_without_an_srs_there_is_no_answer(prover: Prover, proved: Files) -> None:
    with pytest.raises(BackendError, match="there is no .*'.*gone.srs'"):
        prover.backend.verify(proved.proof, proved.settings, proved.vk, proved.folder / "gone.srs")


def test_a_proof_is_rejected_under_another_models_key(
    prover: Prover, proved: Files, make_files: MakeFiles
) -> None:
    other = make_files("other", seed=1)
    prover.settle(other)
    prover.key(other)
    assert other.vk.read_bytes() != proved.vk.read_bytes()
    with pytest.raises(ProofRejected, match="is not valid"):
        prover.backend.verify(proved.proof, proved.settings, other.vk, prover.srs.path)


def test_a_wrong_witness_gives_no_valid_proof(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    prover.settle(files)
    prover.key(files)
    prover.witness(files)
    document = json.loads(files.witness.read_bytes())
    document["outputs"][0][0] = encode(999)
    files.witness.write_text(json.dumps(document))
    prover.prove(files)
    with pytest.raises(ProofRejected, match="is not valid"):
        prover.verify(files)


def test_equal_committed_tensors_have_equal_proof_prefixes(
    prover: Prover, make_files: MakeFiles
) -> None:
    spec = replace(SPEC, output_visibility="polycommit", input_visibility="polycommit")
    prefixes = []
    for seed in (0, 1):
        files = make_files(f"slice{seed}", seed=seed)
        prover.prove_all(files, spec)
        assert prover.verify(files).seconds > 0
        document = json.loads(files.proof.read_bytes())
        assert document["instances"] == [[]]
        prefixes.append((document["proof"][:64], document["proof"][64:128]))
    assert prefixes[0][0] == prefixes[1][0]
    assert prefixes[0][1] != prefixes[1][1]
