"""Tensors between the operators get the shapes and types that shape inference knows of them.

Fusion follows axes by shapes, and many exporters record none. What is recorded already stays where
inference knows less; where they disagree inference is right. The interface stays as declared.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.models.outline import outline
from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import record_shapes


@dataclass(frozen=True, slots=True)
class RecordShapes:
    """Whatever inference knows of a tensor is written on it."""

    name: ClassVar[str] = "record-shapes"

    def __call__(self, model: ir.Model) -> PassResult:
        """Infer and record."""
        result = model.clone()
        record_shapes(result)
        changed = outline(result)[0] != outline(model)[0]
        return PassResult(result, (Site("shapes recorded", ()),) if changed else ())
