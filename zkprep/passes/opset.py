"""Which version of the standard operators a model uses."""

import onnx_ir as ir


def standard_opset(model: ir.Model) -> int:
    """The opset version of the standard domain, which a model may import as '' or as 'ai.onnx'."""
    imports = model.opset_imports
    return imports[""] if "" in imports else imports.get("ai.onnx", 1)
