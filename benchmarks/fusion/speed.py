"""Seconds and memory of fusing a network the size of ResNet-50, as a whole process.

    python -m benchmarks.fusion.speed

The network has ResNet-50's shapes: 53 Convs, each with a BatchNormalization, 25.5 million
parameters. The process is `zkprep fuse`; its peak memory is the kernel's figure for the child. The
same process on a one-node model tells what the interpreter and its libraries take, and a profile
within one process where the rest goes.
"""

import cProfile
import multiprocessing
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks.fusion.building import Net
from zkprep.fusing import fuse_file

# Blocks and inner channels of the four stages; a block gives four times as many channels.
STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
IMAGE = 224
CLASSES = 1000
TARGET_SECONDS = 3.0
TARGET_MEMORY = 1.5
_DEEPEST = 25


def resnet_50() -> onnx.ModelProto:
    """ResNet-50 with random weights, every Conv with its BatchNormalization apart."""
    net = Net()
    value = _unit(net, net.x(1, 3, IMAGE, IMAGE), 3, 64, 7, stride=2)
    value = net(
        "MaxPool", net("Relu", value), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    )
    channels = 64
    for stage, (blocks, inner) in enumerate(STAGES):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            value = _bottleneck(net, value, channels, inner, stride)
            channels = 4 * inner
    flat = net("Flatten", net("GlobalAveragePool", value))
    return net.model(net.gemm(flat, channels, CLASSES, net.normal(CLASSES), transB=1))


def _bottleneck(net: Net, x: str, channels: int, inner: int, stride: int) -> str:
    outputs = 4 * inner
    y = net("Relu", _unit(net, x, channels, inner, 1))
    y = net("Relu", _unit(net, y, inner, inner, 3, stride=stride))
    y = _unit(net, y, inner, outputs, 1)
    skip = x if channels == outputs else _unit(net, x, channels, outputs, 1, stride=stride)
    return net("Relu", net("Add", y, skip))


def _unit(net: Net, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1) -> str:
    """Conv without bias and its norm; weights scaled so that 50 layers keep their magnitude."""
    shape = (outputs, inputs, kernel, kernel)
    weight = net.k(net.random.standard_normal(shape) / (inputs * kernel**2) ** 0.5)
    window = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "kernel_shape": [kernel] * 2}
    gamma, beta, mean, _ = net.statistics(outputs)
    variance = net.random.uniform(0.5, 2, outputs)
    parameters = [net.k(v) for v in (gamma / 2, beta / 10, mean / 10, variance)]
    return net.bn(net("Conv", x, weight, **window), outputs, *parameters)


@dataclass(frozen=True, slots=True)
class Used:
    """Wall and CPU seconds and peak resident bytes of a process."""

    seconds: float
    cpu_seconds: float
    peak: int

    def __str__(self) -> str:
        cpu = f"{self.cpu_seconds:.2f} s of CPU"
        return f"{self.seconds:.2f} s ({cpu}), {self.peak / 1e6:.0f} MB"


def measure(command: Sequence[str]) -> Used:
    """Run a command and say what it used.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    seconds = time.perf_counter() - start
    # Linux counts ru_maxrss in kilobytes, and begins with what the caller had.
    return Used(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _fuse_command(source: Path, target: Path) -> list[str]:
    start = "import sys; from zkprep.cli import main; sys.exit(main())"
    return [sys.executable, "-c", start, "fuse", str(source), "-o", str(target)]


def _write(source: Path, small: Path) -> None:
    onnx.save(resnet_50(), source)
    net = Net()
    onnx.save(net.model(net("Relu", net.x(1))), small)


def main() -> None:
    """Measure, compare with the targets, and show where the time goes."""
    with tempfile.TemporaryDirectory(prefix="fusion-speed-") as name:
        folder = Path(name)
        source, small = folder / "resnet.onnx", folder / "small.onnx"
        # In a process of its own, whose memory is not counted as that of the next.
        writer = multiprocessing.Process(target=_write, args=(source, small))
        writer.start()
        writer.join()
        size = source.stat().st_size
        base = measure(_fuse_command(small, folder / "small-out.onnx"))
        used = measure(_fuse_command(source, folder / "out.onnx"))
        left = [node.op_type for node in onnx.load(folder / "out.onnx").graph.node]
        profile = cProfile.Profile()
        profile.runcall(fuse_file, source, folder / "again.onnx")
    convs, norms = left.count("Conv"), left.count("BatchNormalization")
    above = (used.peak - base.peak) / size
    print(f"file {size / 1e6:.1f} MB; left: {convs} Convs, {norms} BatchNormalizations")
    print(f"one node: {base}")
    print(f"network: {used}; target {TARGET_SECONDS:g} s")
    print(
        f"memory: {used.peak / size:.2f} times the file, {above:.2f} times above one node; ", end=""
    )
    print(f"target {TARGET_MEMORY:g}")
    pstats.Stats(profile).sort_stats("cumulative").print_stats(_DEEPEST)


if __name__ == "__main__":
    main()
