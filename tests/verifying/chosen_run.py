"""RUN/public as a prover with a mind of its own makes it: real proofs, settings of its choice.

What `zkprep prove` would refuse is left out; all else is zkprep's own.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import Srs, verifier_file
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.claims.felts import encode
from zkprep.claims.statement import digest, dump
from zkprep.models.model import input_specs, serialize
from zkprep.prepare import prepare
from zkprep.proving.compose import Keyed, compose
from zkprep.proving.sized import Sized
from zkprep.runs.store import SliceFiles
from zkprep.slicing.slices import apply_cut
from zkprep.tune.descent import entered

BACKEND = EzklBackend(seconds=120)


def chosen_run(
    folder: Path, model: Path, spec: CircuitSpec, srs: Srs, values: Mapping[str, Sequence[int]]
) -> tuple[Path, str]:
    """The public folder of `model` proved in one slice on integers, and its statement's digest."""
    prepared = prepare(model, {})
    slicing = apply_cut(prepared, [[str(node.name) for node in prepared.normalised.graph]])
    (piece,) = slicing.slices
    files, path = SliceFiles(folder, folder), folder / "slice.onnx"
    path.write_bytes(serialize(entered(piece.prepared, spec)))
    BACKEND.gen_settings(path, spec, files.settings)
    BACKEND.compile(path, files.settings, files.circuit)
    BACKEND.setup(files.circuit, srs.path, files.vk, files.pk)
    data, witness, proof = (folder / name for name in ("data.json", "witness.json", "proof.json"))
    names = [one.name for one in input_specs(piece.prepared)]
    tensors = [[encode(value) for value in values[name]] for name in names]
    data.write_text(json.dumps({"input_data": tensors}))
    BACKEND.witness(files.circuit, data, witness)
    BACKEND.prove(witness, files.circuit, files.pk, srs.path, files.settings, proof)
    settings = read_settings(files.settings.read_bytes())
    sized = Sized(piece, piece.prepared, path, files, spec, settings)
    size = len(json.loads(proof.read_bytes())["proof"])
    statement = compose(slicing, [Keyed(sized, srs, size)], BACKEND.version)
    public = folder / "public"
    for name, content in {
        "statement.json": dump(statement),
        "slices/000/settings.json": files.settings.read_bytes(),
        "slices/000/vk": files.vk.read_bytes(),
        "slices/000/proof.json": proof.read_bytes(),
        f"srs/{srs.logrows}.srs": verifier_file(srs),
    }.items():
        (public / name).parent.mkdir(parents=True, exist_ok=True)
        (public / name).write_bytes(content)
    return public, digest(statement)
