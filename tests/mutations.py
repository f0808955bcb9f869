"""Small models and their mutations, and the child process that prepares them one after another.

    python tests/mutations.py FOLDER FIRST STOP

prepares the mutations FIRST to STOP - 1 within a limit of memory and of time per model, and writes
one line per model to stdout when it starts, and one more if it ends in anything but a prepared
model or a refusal. A crash or a hang ends the process, and the last line says where.
"""

import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MEMORY = 4 * 2**30
CPU_SECONDS, SECONDS = 10, 120
SIZES = (0, -1, -(2**31), 2**31, 2**40, 2**62, -(2**63), 3, 7)

_HEAD = '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n'
_TEXTS = (
    """net (float[N, 2, 4, 4] x) => (float[N, 3] y) {
        c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1]>
            (x, W4)
        b = BatchNormalization (c, P2, Q2, Q2, P2)
        r = Relu (b)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (r)
        f = Flatten <axis = 1> (p)
        y = Gemm <transB = 1> (f, W38, Q3)
    }""",
    """shapes (float[2, 3, 4] x) => (float[2, 12] y, float[2, 3, 4] z) {
        s = Shape (x)
        i = Constant <value_ints = [0]> ()
        g = Gather <axis = 0> (s, i)
        m = Constant <value_ints = [-1]> ()
        t = Concat <axis = 0> (g, m)
        y = Reshape (x, t)
        e = Constant <value_ints = [2, 3, 4]> ()
        o = ConstantOfShape (e)
        z = Add (x, o)
    }""",
    """moves (float[1, 2, 3, 3] x) => (float[1, 2, 5, 5] y, float[1, 2, 6, 6] u) {
        n = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()
        y = Pad <mode = "reflect"> (x, n)
        k = Constant <value_ints = [1, 1, 2, 2]> ()
        u = Tile (x, k)
    }""",
    """calls (float[2, 2] x, bool c) => (float[2, 2] y) {
        a = local.twice (x)
        y = If <then_branch = t () => (float[2, 2] p) { p = Relu (a) },
                else_branch = e () => (float[2, 2] q) { q = Neg (a) }> (c)
    }
    <opset_import: ["" : 17], domain: "local"> twice (a) => (b) { b = Add (a, a) }""",
    """logic (float[2, 4] x, int64[2] i) => (float[2, 4] y) {
        g = Gather <axis = 1> (x, i)
        s = ReduceSum <keepdims = 1> (g)
        c = Greater (x, s)
        v, k = TopK (x, T1)
        w = Where (c, x, s)
        q = Split <axis = 1> (w)
        y = Softmax <axis = 1> (q)
    }""",
    """windows (float[1, 2, 6, 6] x) => (float[1, 2, 11, 11] y) {
        a = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]> (x)
        t = ConvTranspose <kernel_shape = [1, 1], strides = [2, 2], group = 2> (a, W2)
        y = Clip (t, L0, H0)
    }""",
    """series (float[2, 1, 3] x) => (float[2, 1, 1, 2] y, float[1, 1, 2] h) {
        y, h, c = LSTM <hidden_size = 2, direction = "forward"> (x, I3, R2)
    }""",
    """sizes (double[2, 3] x) => (double[2, 3] y) {
        a = Constant <value_ints = [4, 9]> ()
        b = Constant <value_ints = [2, 3]> ()
        s = Div (a, b)
        e = Expand (D0, s)
        f = Equal (s, b)
        g = ReduceMin <keepdims = 0> (s)
        k = Cast <to = 9> (g)
        w = If <then_branch = t () => (double[2, 3] p) { p = Add (x, e) },
                else_branch = n () => (double[2, 3] q) { q = Neg (x) }> (k)
        m = Add (w, M3)
        y = Softmax <axis = -1> (m)
    }""",
)
_DOUBLES = ("D0", "M3")
_WEIGHTS: dict[str, tuple[int, ...]] = {
    "W4": (2, 2, 3, 3),
    "W38": (3, 8),
    "P2": (2,),
    "Q2": (2,),
    "Q3": (3,),
    "W2": (2, 1, 1, 1),
    "L0": (),
    "H0": (),
    "I3": (1, 8, 3),
    "R2": (1, 8, 2),
    "D0": (),
    "M3": (3,),
}


def originals() -> list[onnx.ModelProto]:
    """The models that are mutated; each of them is valid."""
    made = []
    for text in _TEXTS:
        model = onnx.parser.parse_model(_HEAD + text)
        values = np.random.default_rng(0)
        read = {name for node in model.graph.node for name in node.input}
        for name in sorted(read & set(_WEIGHTS)):
            array = values.uniform(0.5, 1, _WEIGHTS[name])
            array = array if name in _DOUBLES else array.astype(np.float32)
            array = np.array([0, -np.inf, 0]) if name == "M3" else array
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        if "T1" in read:
            model.graph.initializer.append(numpy_helper.from_array(np.array([2]), "T1"))
        made.append(model)
    return made


def mutation(number: int) -> bytes:
    """Mutation `number`, the same every time: bytes of one in two, fields of the others."""
    chance = random.Random(number)
    model = chance.choice(originals())
    if number % 2:
        return _bytes_changed(model.SerializeToString(), chance)
    for _ in range(chance.randint(1, 3)):
        chance.choice(_FIELDS)(model, chance)
    return model.SerializeToString()


def _bytes_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    kind = chance.randrange(5)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        start = chance.randrange(len(data))
        return data[:start] + data[start + chance.randint(1, 16) :]
    if kind == 2:
        start, length = chance.randrange(len(data)), chance.randint(1, 64)
        return data[:start] + data[start : start + length] * 2 + data[start + length :]
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(data))
        changed[place] = chance.randrange(256) if kind == 3 else changed[place] ^ 1 << kind
    return bytes(changed)


def _node(model: onnx.ModelProto, chance: random.Random) -> onnx.NodeProto:
    return chance.choice(list(model.graph.node))


def _dimension(model: onnx.ModelProto, chance: random.Random) -> None:
    values = [*model.graph.input, *model.graph.output]
    dims = chance.choice(values).type.tensor_type.shape.dim
    if dims:
        dim = chance.choice(list(dims))
        if chance.randrange(4):
            dim.dim_value = chance.choice(SIZES)
        else:
            dim.dim_param = chance.choice(("", "N", "a + 1", "0", "ü"))


def _weight_shape(model: onnx.ModelProto, chance: random.Random) -> None:
    if model.graph.initializer:
        dims = chance.choice(list(model.graph.initializer)).dims
        dims[:] = [*dims[:-1], chance.choice(SIZES)]


def _weight_data(model: onnx.ModelProto, chance: random.Random) -> None:
    if not model.graph.initializer:
        return
    weight = chance.choice(list(model.graph.initializer))
    kind = chance.randrange(4)
    if kind == 0:
        weight.raw_data = weight.raw_data[:-1]
    elif kind == 1:
        weight.data_type = chance.randrange(30)
    elif kind == 2:
        weight.raw_data = b"\xff" * len(weight.raw_data)
    else:
        weight.data_location = TensorProto.EXTERNAL
        place = chance.choice(("/dev/zero", "../../data", "missing", ""))
        weight.external_data.add(key="location", value=place)


def _element_type(model: onnx.ModelProto, chance: random.Random) -> None:
    values = [*model.graph.input, *model.graph.output]
    chance.choice(values).type.tensor_type.elem_type = chance.randrange(30)


def _read_name(model: onnx.ModelProto, chance: random.Random) -> None:
    node = _node(model, chance)
    names = [name for one in model.graph.node for name in (*one.input, *one.output)]
    if node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice([*names, "nowhere", ""])


def _written_name(model: onnx.ModelProto, chance: random.Random) -> None:
    names = [name for one in model.graph.node for name in (*one.input, *one.output)]
    node = _node(model, chance)
    node.output[chance.randrange(len(node.output))] = chance.choice([*names, "elsewhere", ""])


def _output_name(model: onnx.ModelProto, chance: random.Random) -> None:
    chance.choice(list(model.graph.output)).name = chance.choice(("x", "nothing", "y", ""))


def _order(model: onnx.ModelProto, chance: random.Random) -> None:
    nodes = list(model.graph.node)
    chance.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _twin(model: onnx.ModelProto, chance: random.Random) -> None:
    model.graph.node.append(_node(model, chance))


def _operator(model: onnx.ModelProto, chance: random.Random) -> None:
    names = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
    _node(model, chance).op_type = chance.choice([*names, "Nothing", ""])


def _domain(model: onnx.ModelProto, chance: random.Random) -> None:
    _node(model, chance).domain = chance.choice(("ai.onnx", "local", "com.microsoft", "nobody"))


def _attribute(model: onnx.ModelProto, chance: random.Random) -> None:
    node = _node(model, chance)
    if not node.attribute:
        return
    place = chance.randrange(len(node.attribute))
    name, old = node.attribute[place].name, node.attribute[place]
    if chance.randrange(2) and old.ints:
        old.ints[chance.randrange(len(old.ints))] = chance.choice(SIZES)
        return
    values = (chance.choice(SIZES), 0.5, "text", [1], [2**40], [1.5], ["a"], [-1, -1])
    del node.attribute[place]
    if chance.randrange(4):
        node.attribute.append(helper.make_attribute(name, chance.choice(values)))


def _versions(model: onnx.ModelProto, chance: random.Random) -> None:
    if chance.randrange(3):
        model.opset_import[0].version = chance.choice((0, 1, 6, 9, 11, 13, 21, 28, 99, -1))
    else:
        model.ir_version = chance.choice((0, 1, 3, 4, 13, 99))


_FIELDS: tuple[Callable[[onnx.ModelProto, random.Random], None], ...] = (
    _dimension,
    _dimension,
    _weight_shape,
    _weight_data,
    _element_type,
    _read_name,
    _written_name,
    _output_name,
    _order,
    _twin,
    _operator,
    _operator,
    _domain,
    _attribute,
    _attribute,
    _attribute,
    _versions,
)


def _limit() -> None:
    """Let nothing be allocated wildly; a signal ends what takes too long, even inside C++."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for ending in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(ending, signal.SIG_DFL)


def prepare_all(folder: Path, first: int, stop: int) -> None:
    """Prepare the mutations, saying which; every unexpected end is told."""
    from zkprep.errors import InputError, UnsupportedModel
    from zkprep.prepare import prepare

    path = folder / "model.onnx"
    for number in range(first, stop):
        print(number, flush=True)
        path.write_bytes(mutation(number))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(SECONDS)
        try:
            prepare(path, {})
        except (InputError, UnsupportedModel) as error:
            if not str(error).strip():
                print(f"{number}: a refusal without words", flush=True)
        except BaseException as error:  # noqa: BLE001 - any other end is what is looked for
            said = str(error).splitlines() or [""]
            print(f"{number}: {type(error).__name__}: {said[0][:300]}", flush=True)
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    _limit()
    prepare_all(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
