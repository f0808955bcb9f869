"""Witness many small models in one process: EZKL's outputs, or its words, for each.

Run as `python witness_batch.py FOLDER`. For every `NAME.onnx` with its `NAME.npz` of inputs it
writes `NAME.out.npz` (outputs by position, flat) or `NAME.txt` (why there are none).
"""

import json
import sys
from pathlib import Path

import ezkl
import numpy as np

from zkprep.backends.ezkl import run_args
from zkprep.circuit import CircuitSpec
from zkprep.claims.felts import decode, dequantise

SPEC = CircuitSpec(
    input_scale=10,
    param_scale=10,
    decomp_legs=3,
    lookup_range=(-(2**16), 2**16),
    checks_boundary=False,
    integer_constants=True,
)


def witness(model: Path) -> list[np.ndarray]:
    ends = (".settings", ".ezkl", ".json", ".witness")
    settings, circuit, data, out = (model.with_suffix(end) for end in ends)
    with np.load(model.with_suffix(".npz")) as inputs:
        rows = [inputs[name].astype(np.float64).ravel().tolist() for name in sorted(inputs.files)]
    data.write_text(json.dumps({"input_data": rows}))
    arguments = ezkl.PyRunArgs()
    for name, value in run_args(SPEC).items():
        setattr(arguments, name, value)
    ezkl.gen_settings(str(model), str(settings), py_run_args=arguments)
    ezkl.compile_circuit(str(model), str(circuit), str(settings))
    made = ezkl.gen_witness(str(data), str(circuit), str(out))
    scales = json.loads(settings.read_text())["model_output_scales"]
    return [
        dequantise(map(decode, felts), scale)
        for felts, scale in zip(made["outputs"], scales, strict=True)
    ]


def main(folder: Path) -> None:
    for model in sorted(folder.glob("*.onnx")):
        try:
            outputs = witness(model)
        except BaseException as error:  # noqa: BLE001 - EZKL's panics are no Exception
            model.with_suffix(".txt").write_text(f"{type(error).__name__}: {error}")
        else:
            np.savez(model.with_suffix(".out.npz"), *outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
