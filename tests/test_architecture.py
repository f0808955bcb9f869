"""Imports run one way; one place imports ezkl, one imports slicer, one prints; nothing is long."""

import ast
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("zkprep", "slicer")
SOURCES = sorted(
    path
    for folder in (*PACKAGES, "benchmarks", "circuits")
    for path in (ROOT / folder).rglob("*.py")
)

# Lowest first; a module imports its own layer and those below.
LAYERS = (
    {"zkprep", "zkprep.errors", "zkprep.room"},
    {"zkprep.circuit", "zkprep.files", "zkprep.options"},
    {"zkprep.claims", "zkprep.cost", "zkprep.models"},
    {"zkprep.backends", "zkprep.bounds", "zkprep.passes", "zkprep.report"},
    {"zkprep.fusing", "zkprep.runs", "zkprep.support", "zkprep.tune"},
    {"zkprep.execute", "zkprep.prepare"},
    {"zkprep.slicing"},
    {"zkprep.proving"},
    {"zkprep.checking", "zkprep.verifying"},
    {"zkprep.publish"},
    {"zkprep.pipeline"},
    {"zkprep.api"},
    {"zkprep.cli"},
)


def _modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(path: Path) -> set[str]:
    """Every module that `path` names in an import, at the top or inside a function."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= inner if inner <= set(MODULES) else inner | {node.module}
    return named


@cache
def _graph() -> "nx.DiGraph[str]":
    graph: nx.DiGraph[str] = nx.DiGraph()
    for name, path in MODULES.items():
        graph.add_node(name)
        graph.add_edges_from((name, used) for used in _imports(path) if used in MODULES)
    return graph


def _layer(module: str) -> int:
    while module:
        for level, members in enumerate(LAYERS):
            if module in members:
                return level
        module = module.rpartition(".")[0]
    raise LookupError


def _importers(package: str) -> set[str]:
    return {
        name
        for name, path in MODULES.items()
        if any(used.split(".")[0] == package for used in _imports(path))
    }


def test_every_module_has_a_layer_of_its_own() -> None:
    top = {name for name in MODULES if name.count(".") == 1 and name.startswith("zkprep.")}
    assert top <= set().union(*LAYERS)
    assert set().union(*LAYERS) <= set(MODULES)


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("zkprep.")))
def test_imports_run_downwards(module: str) -> None:
    # zkprep itself offers the verbs of zkprep.api when they are first used.
    upward = [
        used
        for used in _graph().successors(module)
        if used.startswith("zkprep") and _layer(used) > _layer(module)
    ]
    assert upward == []


def test_no_import_cycles() -> None:
    graph = _graph()
    graph.remove_node("zkprep")
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    assert list(nx.simple_cycles(graph)) == []


def test_packages_import_one_way() -> None:
    packages: nx.DiGraph[str] = nx.DiGraph()
    for name, used in _graph().edges:
        here, there = (".".join(one.split(".")[:2]) for one in (name, used))
        if "zkprep" not in (here, there) and here != there:
            packages.add_edge(here, there)
    assert list(nx.simple_cycles(packages)) == []


def test_one_place_imports_ezkl() -> None:
    assert _importers("ezkl") == {"zkprep.backends.worker"}


def test_one_place_imports_slicer() -> None:
    users = {name for name in _importers("slicer") if name.startswith("zkprep")}
    assert users == {"zkprep.slicing.slices"}


def test_slicer_knows_only_graphs_and_numbers() -> None:
    foreign = {
        used.split(".")[0]
        for name, path in MODULES.items()
        if name.startswith("slicer")
        for used in _imports(path)
    }
    assert foreign.isdisjoint({"zkprep", "onnx", "onnx_ir", "ezkl", "msgspec"})
    assert {"networkx", "numpy"} <= foreign


def test_chain_is_pure() -> None:
    reached = nx.descendants(_graph(), "zkprep.verifying.chain") - {"zkprep"}
    assert reached <= {
        "zkprep.claims.statement",
        "zkprep.claims.wellformed",
        "zkprep.claims.allowed",
        "zkprep.claims.claim",
        "zkprep.verifying.evidence",
        "zkprep.verifying.trust",
        "zkprep.circuit",
        "zkprep.claims.felts",
        "zkprep.claims.heads",
        "zkprep.claims.points",
        "zkprep.verifying.verdict",
        "zkprep.errors",
    }
    for module in ("zkprep.verifying.chain", *reached):
        assert _imports(MODULES[module]).isdisjoint({"pathlib", "os", "subprocess", "tempfile"})


def test_passes_know_no_prover() -> None:
    for module in MODULES:
        if module.startswith("zkprep.passes"):
            used = nx.descendants(_graph(), module)
            assert not {name for name in used if name.startswith("zkprep.backends")}, module


def test_only_the_command_line_prints_or_exits() -> None:
    for name, path in MODULES.items():
        if name.startswith("zkprep.cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            to_stream = any(keyword.arg == "file" for keyword in node.keywords)
            assert called != "print" or to_stream, f"{name}:{node.lineno} prints"
            assert called not in ("sys.exit", "exit", "quit"), f"{name}:{node.lineno} exits"


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from its name on, without its docstring."""
    first, lines = function.body[0], function.end_lineno - function.lineno + 1
    documented = ast.get_docstring(function, clean=False) is not None
    return lines - (first.end_lineno - first.lineno + 1 if documented else 0)


def test_files_are_under_300_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n >= 300} == {}


def test_functions_are_under_40_lines_without_their_docstrings() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {_length(node)} lines"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _length(node) >= 40
    ]
    assert long == []
