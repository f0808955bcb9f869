"""Parts of docs/benchmarks.md that are written by a program, each between two comments."""

from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs/benchmarks.md"


def replace(name: str, content: str) -> None:
    """Put `content` in the place of what stands between the comments of that name."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = _around(text, name)
    DOCUMENT.write_text(f"{before}\n{content.strip()}\n{after}", encoding="utf-8")


def read(name: str) -> str:
    """What stands there."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = _around(text, name)
    return text[len(before) : len(text) - len(after)].strip()


def _around(text: str, name: str) -> tuple[str, str]:
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = text.partition(start)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{DOCUMENT.name} has no place for '{name}'")
    return before + found, ended + after
