"""Damage to RUN/public, one place at a time: nothing may happen but an honest no.

    python tests/fuzz_public.py SECONDS [FIRST]     (`make fuzz`; numbers go on from FIRST)

A mutation's number alone decides which file is damaged and how. The folder is a run of the fake
prover, which checks a proof in no time; now and then it is a byte of a real proof. The verifier
expects the honest statement or, every other time where that is what was damaged, the damaged one:
then its values may still be no others.
"""

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import onnx
from honest_chain import Example, places
from real_chain import BACKEND, check, hidden_chain, open_chain

from zkprep import pipeline
from zkprep.backends import srs
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.backends.srs_file import read_identity
from zkprep.errors import VerificationError
from zkprep.options import Baselines, InputVisibility, Link, Links, Options
from zkprep.verifying import audit, chain
from zkprep.verifying.evidence import SliceFiles
from zkprep.verifying.public import read_public
from zkprep.verifying.trust import SrsFiles
from zkprep.verifying.verdict import Obligation, Policy, Verdict

SLOW_SECONDS = 20.0
REAL_EVERY = 50
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
skip (float[1, 4] x) => (float[1, 4] y)
<float[4, 4] w = {1, 0.5, -1, 0.25, 2, 0.5, -0.5, 1, 1.5, 0.75, -2, 1, 0.5, 1, -1, 0.25}>
{ a = MatMul (x, w)  b = Relu (a)  c = MatMul (b, w)  d = Add (c, b)  y = Relu (d) }
"""
EXTREMES = [
    *("", "\ud800", "x" * 100_000, "\x1b[2K", "../..", "00" * 32, "ff" * 32),
    *(-1, 0, 1, 2**31, 2**63, 2**64, 10**400, 1e308, 0.5, True, None, [], {}, [[]]),
]
LINKS = (
    Options(blocks=3, baselines=Baselines.NONE),
    Options(
        blocks=3,
        baselines=Baselines.NONE,
        links=Links(Link.POLYCOMMIT),
        input_visibility=InputVisibility.PRIVATE,
    ),
)

Mutation = Callable[[bytes, random.Random], bytes]


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def flipped(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return b"\0"
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def spliced(data: bytes, chance: random.Random) -> bytes:
    """A stretch is cut out, doubled, or replaced by noise."""
    start = chance.randrange(len(data) + 1)
    stop = min(len(data), start + chance.randrange(64))
    stretch = data[start:stop]
    kind = chance.randrange(3)
    middle = (b"", stretch * 2, bytes(chance.randrange(256) for _ in stretch))[kind]
    return data[:start] + middle + data[stop:]


def grown(data: bytes, chance: random.Random) -> bytes:
    more = chance.choice([b"\n", b" ", b"\0", b"{}", b"\xff", b"[" * 2000, data])
    return data + more if chance.randrange(2) else more + data


def digit(data: bytes, chance: random.Random) -> bytes:
    """A digit becomes another: the smallest change of a number, a digest or a value."""
    digits = [i for i, byte in enumerate(data[:100_000]) if 48 <= byte < 58]
    if not digits:
        return flipped(data, chance)
    place = chance.choice(digits)
    return data[:place] + str(chance.randrange(10)).encode() + data[place + 1 :]


def value(data: bytes, chance: random.Random) -> bytes:
    """Somewhere in a JSON document something else stands, or a key is gone, new or doubled."""
    try:
        document = json.loads(data)
    except ValueError:
        return spliced(data, chance)
    node, key = chance.choice(places(document))
    kind = chance.randrange(4)
    if kind == 0 and isinstance(node, dict):
        node[chance.choice(["", "shape", "note"])] = chance.choice(EXTREMES)
    elif kind == 1:
        del node[key]
    elif kind == 2 and isinstance(node, list):
        node.append(node[key])
    else:
        node[key] = chance.choice(EXTREMES)
    return json.dumps(document, separators=(",", ":")).encode("utf-8", "surrogatepass")


MUTATIONS: tuple[Mutation, ...] = (truncated, flipped, flipped, spliced, grown, digit, value, value)


def published(folder: Path) -> list[Path]:
    """Honest public folders of the fake prover, with open and with hidden links."""
    model, data = folder / "model.onnx", folder / "input.json"
    onnx.save(onnx.parser.parse_model(MODEL), model)
    data.write_text(json.dumps({"input_data": [[0.5, -1.0, 2.0, 1.0]]}))
    made = []
    for number, options in enumerate(LINKS):
        run = folder / str(number)
        pipeline.prove(model, data, run, options, FakeBackend(), lambda *_: None)
        made.append(run / "public")
    return made


def verified(public: Path, expected: str) -> Verdict:
    return audit.verify(public, FakeBackend(), expect=expected, allow_test_srs=True)


class Target:
    """A public folder that is damaged and mended again."""

    def __init__(self, public: Path) -> None:
        self.public = public
        self.files = {p: p.read_bytes() for p in sorted(public.rglob("*")) if p.is_file()}
        self.digest = sha256((public / "statement.json").read_bytes()).hexdigest()
        self.honest = verified(public, self.digest)

    def attack(self, number: int) -> str:
        """What went wrong with mutation `number`, or ""."""
        chance = random.Random(number)
        path = chance.choice(list(self.files))
        damaged, follows = self._damage(path, chance), chance.randrange(2) == 1
        expected = self.digest
        if follows and damaged is not None and path.name == "statement.json":
            expected = sha256(damaged).hexdigest()
        start = time.monotonic()
        try:
            return self._judge(verified(self.public, expected), expected)
        except VerificationError as error:
            took = time.monotonic() - start
            return "" if str(error) and took < SLOW_SECONDS else f"slow or silent: {took:.0f} s"
        except BaseException as error:  # noqa: BLE001 - any other end is what is looked for
            return f"{type(error).__name__}: {error}"[:300]
        finally:
            self._mend(path)

    def _judge(self, verdict: Verdict, expected: str) -> str:
        """An acceptance is right if it says what the honest one does."""
        if expected == self.digest:
            return "" if verdict == self.honest else "accepted something else"
        values = [[t.values for t in side.values()] for side in (verdict.inputs, verdict.outputs)]
        honest = [
            [t.values for t in side.values()] for side in (self.honest.inputs, self.honest.outputs)
        ]
        return "" if values == honest else "accepted other values"

    def _damage(self, path: Path, chance: random.Random) -> bytes | None:
        """Damage the file; its new bytes, or None where it is none any more."""
        kind = chance.randrange(40)
        if kind < 4:
            path.unlink()
            (_nothing, _link, os.mkfifo, Path.mkdir)[kind](path)
            return None
        if kind == 4:
            path.write_bytes(self.files[chance.choice(list(self.files))])
        else:
            path.write_bytes(chance.choice(MUTATIONS)(self.files[path], chance))
        return path.read_bytes()

    def _mend(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(self.files[path])


def failures(target: Target, numbers: Iterable[int]) -> Iterator[str]:
    """Every mutation that ended otherwise than it may."""
    for number in numbers:
        if found := target.attack(number):
            yield f"{number}: {found}"


def real_failures(example: Example, numbers: Iterable[int]) -> Iterator[str]:
    """Every damage to a byte of a real proof that EZKL does not see."""
    for number in numbers:
        chance = random.Random(number)
        index = chance.randrange(len(example.bundle))
        document = json.loads(example.bundle[index].proof)
        place = chance.randrange(len(document["proof"]))
        document["proof"][place] ^= chance.randrange(1, 256)
        damaged = example.with_files(index, proof=json.dumps(document).encode())
        try:
            damaged.verify(check)
        except VerificationError:
            continue
        except BaseException as error:  # noqa: BLE001 - any other end is what is looked for
            yield f"{number}: {type(error).__name__}: {error}"[:300]
        else:
            yield f"{number}: byte {place} of proof {index} may be another"


def unpinned(public: Path, numbers: Iterable[int]) -> Iterator[str]:
    """Every damage to real files that reaches a prover who takes any proof for valid.

    Only a proof's own bytes and values may: those it has to justify itself.
    """
    files = read_public(public)
    policy = Policy(sha256(files.statement).hexdigest(), srs.CEREMONY[1], allow_test_srs=True)

    def met(bundle: list[SliceFiles], test_srs: dict[int, bytes]) -> list[Obligation]:
        found: list[Obligation] = []
        known = SrsFiles(srs.CEREMONY_VERIFIER, test_srs)
        chain.verify(files.statement, bundle, known, policy, found.extend)
        return [replace(one, proof=b"") for one in found]

    honest = met(files.bundle, files.test_srs)
    for number in numbers:
        chance = random.Random(number)
        bundle, test_srs = list(files.bundle), dict(files.test_srs)
        name, damage = chance.choice(("proof", "settings", "vk", "srs")), chance.choice(MUTATIONS)
        if name == "srs":
            logrows = chance.choice(list(test_srs))
            test_srs[logrows] = damage(test_srs[logrows], chance)
        else:
            index = chance.randrange(len(bundle))
            damaged = damage(getattr(bundle[index], name), chance)
            bundle[index] = replace(bundle[index], **{name: damaged})
        try:
            found = met(bundle, test_srs)
        except VerificationError:
            continue
        if [replace(one, proof=b"") for one in found] != [
            replace(one, proof=b"") for one in honest
        ]:
            yield f"{number}: damage to {name} reaches the prover"


def _nothing(_path: Path) -> None:
    return


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def main(seconds: float, first: int) -> int:
    """Damage until the time is up; the number of findings, each of which is printed."""
    os.environ["ZKPREP_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="zkprep-fuzz-") as name:
        os.environ["ZKPREP_CACHE"] = f"{name}/cache"
        targets = [Target(public) for public in published(Path(name))]
        path = Path(name) / "kzg10.srs"
        BACKEND.gen_srs(path, 10)
        made = Srs(path, 10, "", read_identity(path, 10), "test")
        chains = [make(Path(name) / make.__name__, made) for make in (open_chain, hidden_chain)]
        deadline, number, found = time.monotonic() + seconds, first, 0
        while time.monotonic() < deadline:
            if number % REAL_EVERY == 0:
                lines = real_failures(chains[number // REAL_EVERY % len(chains)], [number])
            else:
                lines = failures(targets[number % len(targets)], [number])
            for line in lines:
                print(line, flush=True)
                found += 1
            number += 1
    print(f"mutations {first} to {number - 1}: {found} findings")
    return found


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0) > 0)
