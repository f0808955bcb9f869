"""Files whose weights stay on disk: what is read is what was written, and damage is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from zkprep.errors import InputError
from zkprep.files import write_together
from zkprep.models import onnx_file
from zkprep.models.model import load, load_lazily, serialize
from zkprep.models.outline import LARGE, is_lazy, outline

RANDOM = np.random.default_rng(3)


def proto(**weights: np.ndarray) -> onnx.ModelProto:
    """Conv with a large weight and a small bias, and other weights that nothing reads."""
    kernel = RANDOM.standard_normal((8, 4, 3, 3)).astype(np.float32)
    arrays = {"w": kernel, "b": np.ones(8, np.float32)} | weights
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], name="c")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 4, 4])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(path: Path, **weights: np.ndarray) -> Path:
    onnx.save(proto(**weights), path)
    return path


def saved_apart(folder: Path) -> Path:
    path = folder / "apart.onnx"
    onnx.save(proto(), path, save_as_external_data=True, location="apart.bin", size_threshold=0)
    return path


SIZES = [0, LARGE - 1, LARGE, 2**14 - 7, 2**14 + 9, 2**21]


@pytest.mark.parametrize("size", SIZES)
def test_a_round_trip_keeps_every_byte(tmp_path: Path, size: int) -> None:
    # Lengths take one byte more from 2**7, 2**14 and 2**21 on.
    path = saved(tmp_path / "m.onnx", other=RANDOM.integers(0, 9, size).astype(np.uint8))
    model = load_lazily(path).model
    onnx_file.write(model, tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == serialize(model) == serialize(load(path))
    for one, other in zip(
        onnx.load(path).graph.initializer,
        onnx.load(tmp_path / "copy.onnx").graph.initializer,
        strict=True,
    ):
        np.testing.assert_array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


def test_large_weights_stay_on_disk_and_small_ones_do_not(tmp_path: Path) -> None:
    model = load_lazily(saved(tmp_path / "m.onnx")).model
    lazy = {name: is_lazy(v.const_value) for name, v in model.graph.initializers.items()}
    assert lazy == {"w": True, "b": False}
    assert not any(
        is_lazy(v.const_value) for v in load(tmp_path / "m.onnx").graph.initializers.values()
    )


def test_external_weights_are_read_from_their_file(tmp_path: Path) -> None:
    found = onnx_file.read(saved_apart(tmp_path))
    assert found.data_files == (tmp_path / "apart.bin",)
    whole = onnx.load(tmp_path / "apart.onnx")
    for weight in whole.graph.initializer:
        values = found.model.graph.initializers[weight.name].const_value.numpy()
        np.testing.assert_array_equal(values, numpy_helper.to_array(weight))


def test_above_the_limit_the_weights_go_beside_the_model(tmp_path: Path) -> None:
    model = load_lazily(saved(tmp_path / "m.onnx")).model
    size = 4 * (8 * 4 * 9 + 8)
    onnx_file.write(model, tmp_path / "in" / "o.onnx", embed_up_to=size)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["o.onnx"]
    onnx_file.write(model, tmp_path / "out" / "o.onnx", embed_up_to=size - 1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["o.onnx", "o.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "out" / "o.onnx"))
    assert serialize(load(tmp_path / "out" / "o.onnx")) == serialize(model)


def test_a_shape_stays_in_an_outline_and_a_weight_becomes_an_input(tmp_path: Path) -> None:
    model = load_lazily(saved(tmp_path / "m.onnx")).model
    made, weights = outline(model)
    assert list(weights) == ["w"]
    assert [value.name for value in made.graph.input] == ["x", "w"]
    assert [weight.name for weight in made.graph.initializer] == ["b"]
    onnx.checker.check_model(made, full_check=True)
    assert is_lazy(model.graph.initializers["w"].const_value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def shorter(path: Path) -> None:
    wrong = onnx.load(path)
    wrong.graph.initializer[0].raw_data = wrong.graph.initializer[0].raw_data[:-4]
    path.write_bytes(wrong.SerializeToString())


def twice(path: Path) -> None:
    wrong = onnx.load(path)
    wrong.graph.initializer.append(wrong.graph.initializer[0])
    path.write_bytes(wrong.SerializeToString())


def dangling(path: Path) -> None:
    wrong = onnx.load(path)
    wrong.graph.node[0].input[0] = "nobody"
    path.write_bytes(wrong.SerializeToString())


DAMAGE = [
    (dangling, "'nobody' of node: .* is not output of any previous nodes"),
    (cut, "it is no protobuf: not an ONNX file, cut short or damaged"),
    (shorter, "weight 'w' has 1148 bytes instead of 1152"),
    (twice, "Graph must be in single static assignment"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_damage_is_refused(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    path = saved(tmp_path / "m.onnx")
    damage(path)
    with pytest.raises(InputError, match=f"is not a valid model: .*{message}"):
        load_lazily(path)


def test_a_weight_file_that_is_missing_cut_or_elsewhere_is_refused(tmp_path: Path) -> None:
    path, data = saved_apart(tmp_path), tmp_path / "apart.bin"
    whole = data.read_bytes()
    data.write_bytes(whole[:-4])
    with pytest.raises(InputError, match="weight 'b' is not whole in 'apart.bin'"):
        load_lazily(path)
    data.unlink()
    with pytest.raises(InputError, match="weight file 'apart.bin' not found next to the model"):
        load_lazily(path)
    (tmp_path.parent / "elsewhere.bin").write_bytes(whole)
    moved = onnx.load(path, load_external_data=False)
    for weight in moved.graph.initializer:
        weight.external_data[0].value = "../elsewhere.bin"
    path.write_bytes(moved.SerializeToString())
    with pytest.raises(InputError, match="outside"):
        load_lazily(path)


def test_files_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"old")
    second.mkdir()
    with pytest.raises(InputError, match="cannot write '.*b': Is a directory"):
        write_together({first: b"new", second: iter([b"new"])})
    assert first.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_model_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    blob = saved(tmp_path / "store" / "blob")
    (tmp_path / "m.onnx").symlink_to(blob)
    model = load_lazily(tmp_path / "m.onnx").model
    assert isinstance(model, ir.Model)
    assert model.graph.initializers["w"].const_value.numpy().shape == (8, 4, 3, 3)


def test_nodes_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    """ONNX Runtime runs such a model, and a converter to float16 writes it."""
    text = "g (float[2] x) => (float[2] y) { a = Relu (x) b = Neg (a) y = Exp (b) }"
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> ' + text)
    nodes = [model.graph.node[i] for i in (2, 0, 1)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, tmp_path / "model.onnx")
    graph = onnx_file.read(tmp_path / "model.onnx").model.graph
    assert [node.op_type for node in graph] == ["Relu", "Neg", "Exp"]


def test_a_cycle_is_rejected(tmp_path: Path) -> None:
    text = "g (float[2] x) => (float[2] y) { a = Add (x, b) b = Neg (a) y = Exp (b) }"
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> ' + text)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(onnx.checker.ValidationError, match="topologically sorted"):
        onnx_file.read(tmp_path / "model.onnx")


def test_outputs_that_are_maps_are_named(tmp_path: Path) -> None:
    """What skl2onnx writes for a classifier unless it is told not to."""
    text = (
        '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 1]>'
        " g (float[1, 2] x) => (seq(map(int64, float)) y)"
        " { y = ai.onnx.ml.ZipMap <classlabels_int64s = [0, 1]> (x) }"
    )
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    with pytest.raises(InputError, match="output 'y' holds maps") as caught:
        load(tmp_path / "model.onnx")
    assert "zipmap" in caught.value.hint
