"""Run one optimizer on a folder of models, each in a child process with a time limit.

    python tools.py TOOL FOLDER

FOLDER holds one folder per model with `model.onnx` in it; TOOL writes `TOOL.onnx` beside it. What
went wrong, and the versions of the packages concerned, go to FOLDER/TOOL.json. This file runs in
the environment of the tools, so it imports nothing of this repository but for zkprep itself.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 60


def _onnxscript() -> Callable[[Path, Path], None]:
    import onnx
    from onnxscript import optimizer

    return lambda src, dst: onnx.save(optimizer.optimize(onnx.load(src)), dst)


def _onnxscript_rules() -> Callable[[Path, Path], None]:
    """With the rules that onnxscript has but does not apply by default."""
    import onnx
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter.rules import common

    names = [name for name in dir(common) if name.endswith("matmul_add_to_gemm_rule")]
    names += ["affine_conv_fusion_rule", "conv_affine_fusion_rule"]
    rules = [getattr(common, name) for name in names]

    def run(src: Path, dst: Path) -> None:
        model = optimizer.optimize(onnx.load(src))
        model = rewriter.rewrite(model, pattern_rewrite_rules=rules)
        onnx.save(optimizer.optimize(model), dst)

    return run


def _onnxsim() -> Callable[[Path, Path], None]:
    import onnx
    import onnxsim

    return lambda src, dst: onnx.save(onnxsim.simplify(onnx.load(src))[0], dst)


def _onnxoptimizer() -> Callable[[Path, Path], None]:
    import onnx
    import onnxoptimizer

    return lambda src, dst: onnx.save(onnxoptimizer.optimize(onnx.load(src)), dst)


def _onnxslim() -> Callable[[Path, Path], None]:
    import onnx
    import onnxslim

    return lambda src, dst: onnx.save(onnxslim.slim(onnx.load(src)), dst)


def _onnxruntime() -> Callable[[Path, Path], None]:
    import onnxruntime

    def run(src: Path, dst: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(dst)
        options.log_severity_level = 4
        onnxruntime.InferenceSession(str(src), options, ["CPUExecutionProvider"])

    return run


def _zkprep() -> Callable[[Path, Path], None]:
    from zkprep.fusing import fuse_file

    def run(src: Path, dst: Path) -> None:
        fuse_file(src, dst)

    return run


# Tool: the package whose version is reported, and what makes its function.
TOOLS: dict[str, tuple[str, Callable[[], Callable[[Path, Path], None]]]] = {
    "zkprep": ("zkprep", _zkprep),
    "onnxscript": ("onnxscript", _onnxscript),
    "onnxscript + rules": ("onnxscript", _onnxscript_rules),
    "onnxsim": ("onnxsim", _onnxsim),
    "onnxoptimizer": ("onnxoptimizer", _onnxoptimizer),
    "onnxslim": ("onnxslim", _onnxslim),
    "ORT BASIC": ("onnxruntime", _onnxruntime),
}


def in_child(work: Callable[[], None], words: Path) -> str:
    """Do `work` in a forked child; what went wrong, or "". `words` takes what it prints."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        with words.open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever a tool raises is its answer
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        return ""
    if code < 0:
        return f"killed by signal {signal.Signals(-code).name}"
    lines = [line for line in words.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {code}"


def main(tool: str, folder: Path) -> None:
    """Run `tool` on every model of `folder`."""
    package, make = TOOLS[tool]
    document: dict[str, Any] = {"version": "", "unavailable": "", "errors": {}}
    try:
        run = make()
        document["version"] = importlib.import_module(package).__version__.lstrip("v")
    except Exception as error:  # noqa: BLE001 - an installation can fail in any way
        document["unavailable"] = f"{type(error).__name__}: {error}"
    else:
        for one in sorted(path for path in folder.iterdir() if path.is_dir()):
            src, dst = one / "model.onnx", one / f"{tool}.onnx"
            error = in_child(lambda src=src, dst=dst: run(src, dst), one / f"{tool}.txt")
            if error:
                document["errors"][one.name] = error
    (folder / f"{tool}.json").write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
