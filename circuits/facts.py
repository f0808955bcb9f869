"""What a model is by its graph alone: multiplications, parameters, elements that pass a Relu."""

from math import prod

import onnx


def facts(model: onnx.ModelProto) -> dict[str, int]:
    """Counts of a model whose shapes can be inferred; the padding's products count, too.

    Returns:
        `mac`: products of Conv, ConvTranspose, Gemm and MatMul; `parameters`: elements of floating
        point initializers; `relu`: elements that a Relu or a Clip puts out.
    """
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    floats = [one for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    return {
        "mac": sum(_products(node, shapes) for node in graph.node),
        "parameters": sum(prod(one.dims) for one in floats),
        "relu": sum(
            prod(shapes[node.output[0]]) for node in graph.node if node.op_type in ("Relu", "Clip")
        ),
    }


def _products(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    read = [shapes[name] for name in node.input[:2]]
    match node.op_type:
        case "Conv":
            return prod(shapes[node.output[0]]) * prod(read[1][1:])
        case "ConvTranspose":
            return prod(read[0]) * prod(read[1][1:])
        case "Gemm" | "MatMul":
            return prod(shapes[node.output[0]]) * read[0][-1]
        case _:
            return 0
