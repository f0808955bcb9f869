"""Model-local functions become the nodes they stand for (onnx-ir's InlinePass).

A function that returns one of its own inputs gets an Identity first: the inliner would otherwise
rename the caller's tensor.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir
from onnx_ir.passes import common

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import shown
from zkprep.passes.opset import standard_opset


@dataclass(frozen=True, slots=True)
class InlineFunctions:
    """No model-local functions are left."""

    name: ClassVar[str] = "inline-functions"

    def __call__(self, model: ir.Model) -> PassResult:
        """Inline every call.

        Raises:
            InputError: a function takes a graph as an attribute, or needs another version of
                operators outside the standard than the model.
        """
        inlined = model.clone()
        if not inlined.functions:
            return PassResult(inlined, ())
        _one_standard_opset(inlined)
        for function in inlined.functions.values():
            _separate_outputs(function)
        before = {node.name for graph in model.graphs() for node in graph}
        try:
            common.InlinePass()(inlined)
            inlined.functions.clear()
        except (ValueError, RuntimeError, ir.passes.PassError) as error:
            cause = error.__cause__ or error
            raise InputError(f"a function cannot be inlined: {first_line(cause)}") from None
        _drop_unused_imports(inlined)
        after = {node.name for graph in inlined.graphs() for node in graph}
        calls = [n for g in model.graphs() for n in g if n.op_identifier() in model.functions]
        site = Site(
            f"functions inlined: {', '.join(shown(call) for call in calls) or 'none called'}",
            tuple(str(call.name) for call in calls if call.name),
            created=tuple(sorted(str(name) for name in after - before)),
        )
        return PassResult(inlined, (site,))


def _separate_outputs(function: ir.Function) -> None:
    for position, output in enumerate(function.outputs):
        if output.producer() is None:
            copy = ir.Node("", "Identity", [output], num_outputs=1)
            copy.outputs[0].name = f"{output.name}_returned_{position}"
            function.append(copy)
            function.outputs[position] = copy.outputs[0]


def _one_standard_opset(model: ir.Model) -> None:
    """Let every function import the model's standard operators, by the name ''.

    The checker accepts another opset only where the operators of the function are the same in both.
    """
    for imports in (model.opset_imports, *(f.opset_imports for f in model.functions.values())):
        if "ai.onnx" in imports:
            imports.setdefault("", imports.pop("ai.onnx"))
        if "" in imports:
            imports[""] = standard_opset(model)


def _drop_unused_imports(model: ir.Model) -> None:
    used = {node.domain for graph in model.graphs() for node in graph} | {""}
    for domain in [domain for domain in model.opset_imports if domain not in used]:
        del model.opset_imports[domain]
