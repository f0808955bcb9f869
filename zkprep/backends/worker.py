"""The worker: one EZKL call in a process of its own. The only module that imports ezkl.

    python -P worker.py FOLDER

reads a request `{"verb", "arguments", "parent"}` from stdin and writes FOLDER/reply.json, an
`answer {"value", "usage"}` or a `refusal {"kind", "message"}` (zkprep.backends.process); whatever
EZKL prints goes where the parent pointed stdout and stderr. It stands alone, on the standard
library and ezkl, so that start-up and peak memory are EZKL's and not zkprep's.

EZKL's behaviour: Rust panics arrive as a BaseException (pyo3), `get_srs` is a coroutine that needs
a running loop, and the interpreter may abort on its way out after one (so it does not go there).
Its type stubs know no default values, hence the ignored call-arg.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import ezkl

_PR_SET_PDEATHSIG = 1


def main(folder: Path) -> None:
    """Answer the request on stdin and leave, or leave when the parent does."""
    request = json.loads(sys.stdin.buffer.read())
    _die_with(request["parent"])
    answer(request, folder)


def answer(request: dict[str, Any], folder: Path) -> NoReturn:
    """Write the reply and leave without the interpreter's clean-up."""
    try:
        reply = _answer(request["verb"], request["arguments"])
    except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception
        reply = {"type": "refusal", "kind": type(error).__name__, "message": str(error)}
    (folder / "reply.json").write_text(json.dumps(reply), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _answer(verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
    call = _VERBS[verb]
    wall, cpu = time.perf_counter(), time.process_time()
    value = call(**arguments)
    usage = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": _peak_bytes(),
    }
    return {"type": "answer", "value": value, "usage": usage}


def _gen_settings(model: str, out: str, run_args: dict[str, Any]) -> None:
    ezkl.gen_settings(model, out, _run_args(run_args))


def _calibrate(model: str, data: str, out: str, run_args: dict[str, Any]) -> None:
    _gen_settings(model, out, run_args)
    ezkl.calibrate_settings(data=data, model=model, settings=out, target="resources")  # type: ignore[call-arg]


def _table(model: str, run_args: dict[str, Any]) -> str:
    return str(ezkl.table(model, _run_args(run_args)))


def _compile(model: str, settings: str, out: str) -> None:
    ezkl.compile_circuit(model, out, settings)


def _setup(circuit: str, srs: str, vk: str, pk: str) -> None:
    ezkl.setup(circuit, vk, pk, srs, disable_selector_compression=False)  # type: ignore[call-arg]


def _witness(circuit: str, data: str, out: str) -> None:
    ezkl.gen_witness(data, circuit, out)  # type: ignore[call-arg]


def _prove(witness: str, circuit: str, pk: str, srs: str, out: str) -> None:
    ezkl.prove(witness, circuit, pk, out, srs)


def _verify(proof: str, settings: str, vk: str, srs: str, reduced_srs: bool) -> bool:
    return bool(ezkl.verify(proof, settings, vk, srs, reduced_srs))


def _gen_srs(out: str, logrows: int) -> None:
    ezkl.gen_srs(out, logrows)


def _get_srs(out: str, logrows: int) -> None:
    import asyncio  # half of a worker's start-up, and no other verb needs it

    async def download() -> None:
        await ezkl.get_srs(srs_path=out, logrows=logrows)  # type: ignore[call-arg]

    asyncio.run(download())


_VERBS: dict[str, Callable[..., Any]] = {
    "gen_settings": _gen_settings,
    "calibrate": _calibrate,
    "table": _table,
    "compile": _compile,
    "setup": _setup,
    "witness": _witness,
    "prove": _prove,
    "verify": _verify,
    "gen_srs": _gen_srs,
    "get_srs": _get_srs,
}


def _run_args(values: dict[str, Any]) -> Any:
    arguments = ezkl.PyRunArgs()
    for name, value in values.items():
        setattr(arguments, name, tuple(value) if isinstance(value, list) else value)
    return arguments


def _die_with(parent: int) -> None:
    """End this process when its parent ends, however the parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _peak_bytes() -> int:
    """Largest resident size so far. Linux's ru_maxrss would start at the parent's own peak."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
