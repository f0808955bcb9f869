"""Build the corpus: model.onnx and input.json of every case that has a builder.

python -m circuits.make [CASE ...]
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from circuits.building import Net

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """Every case of the corpus, in alphabetical order."""
    return sorted(path.parent.name for path in FOLDER.glob("*/case.json"))


def case(name: str) -> dict[str, Any]:
    """What case.json says of a case."""
    return dict(json.loads((FOLDER / name / "case.json").read_text(encoding="utf-8")))


def build(name: str, folder: Path) -> tuple[Path, Path]:
    """Model and input of a case; made in `folder` unless they are committed."""
    if not (FOLDER / name / "build.py").exists():
        return FOLDER / name / "model.onnx", FOLDER / name / "input.json"
    net = network(name)
    folder.mkdir(parents=True, exist_ok=True)
    model, data = folder / "model.onnx", folder / "input.json"
    model.write_bytes(net.model(net.nodes[-1].name).SerializeToString(deterministic=True))
    tensors = [array.ravel().tolist() for array in net.sample().values()]
    data.write_text(json.dumps({"input_data": tensors}) + "\n", encoding="utf-8")
    return model, data


def network(name: str) -> Net:
    """The network of a case with a builder, and every value it was built on."""
    net: Net = import_module(f"circuits.{name}.build").build()
    return net


def main(chosen: list[str]) -> None:
    """Build the chosen cases, or all, each in its own folder."""
    if unknown := sorted(set(chosen) - set(names())):
        print(f"'{unknown[0]}' is no case; they are {', '.join(names())}", file=sys.stderr)
        sys.exit(2)
    for name in chosen or names():
        model, _ = build(name, FOLDER / name)
        print(f"{model.relative_to(FOLDER.parent)}  {model.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
