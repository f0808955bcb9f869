"""Where SRS files come from, and which of them is the ceremony's."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from zkprep.backends import srs
from zkprep.backends.base import VERIFIER_SRS_BYTES, Usage
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.backends.srs_file import file_bytes, small_file
from zkprep.claims.points import srs_identity
from zkprep.errors import BackendError, InputError

USAGE = Usage(seconds=1.0, cpu_seconds=1.0, peak_bytes=1)
K = 6


@dataclass(frozen=True)
class Network(FakeBackend):
    """A fake prover with a network: `files` by logrows; what was asked for is kept in `asked`."""

    files: dict[int, bytes] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def get_srs(self, out: Path, logrows: int) -> Usage:
        self.asked.append(logrows)
        if logrows not in self.files:
            raise BackendError("the host cannot be reached", stage="get_srs")
        out.write_bytes(self.files[logrows])
        return USAGE


@pytest.fixture(autouse=True)
def online(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZKPREP_OFFLINE")
    monkeypatch.setattr(srs, "_unreachable", [])


@pytest.fixture
def ceremony(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file of logrows K that counts as the ceremony's for the length of the test."""
    path = tmp_path / "ceremony.srs"
    FakeBackend().gen_srs(path, K)
    data = bytes(path.read_bytes()[:-1]) + b"!"
    monkeypatch.setitem(srs.CEREMONY, K, hashlib.sha256(data).hexdigest())
    return data


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def own_place(cache: Path) -> Path:
    return cache / "srs" / f"kzg{K}.srs"


def test_nothing_is_found_in_an_empty_cache() -> None:
    assert srs.find(K) is None
    assert srs.list_all() == []


def test_the_table_and_the_small_file_are_the_ceremonys() -> None:
    assert sorted(srs.CEREMONY) == list(range(1, 27))
    assert len(set(srs.CEREMONY.values())) == 26
    assert len(srs.CEREMONY_VERIFIER) == VERIFIER_SRS_BYTES == file_bytes(1)
    assert hashlib.sha256(srs.CEREMONY_VERIFIER).hexdigest() == srs.CEREMONY[1]


def test_a_generated_file_is_a_test_one_and_is_found_again(fresh_cache: Path) -> None:
    made = srs.generate(K, FakeBackend())
    data = made.path.read_bytes()
    assert made.path == fresh_cache / "srs" / "test" / f"kzg{K}.test.srs"
    assert made == Srs(made.path, K, hashlib.sha256(data).hexdigest(), srs_identity(data), "test")
    assert srs.find(K) == made
    assert srs.find(K, "test") == made
    assert srs.find(K, "ceremony") is None
    assert srs.find(K + 1) is None
    assert srs.list_all() == [made]
    assert [path.name for path in made.path.parent.iterdir()] == [made.path.name]


def test_a_test_file_is_never_made_anew(fresh_cache: Path) -> None:
    made = srs.generate(K, FakeBackend())
    failing = FakeBackend(fail={"gen_srs": AssertionError("generated again")})
    assert srs.generate(K, failing) == made


def test_of_two_that_generate_at_once_the_second_waits(fresh_cache: Path) -> None:
    begun, others = threading.Event(), []

    class Slow(FakeBackend):
        def gen_srs(self, out: Path, logrows: int) -> Usage:
            others.append(pool.submit(srs.generate, logrows, failing))
            begun.wait(0.3)  # nobody sets it: the other has the time to go wrong
            assert not others[0].done()
            return super().gen_srs(out, logrows)

    failing = FakeBackend(fail={"gen_srs": AssertionError("generated again")})
    with ThreadPoolExecutor(1) as pool:
        made = srs.generate(K, Slow())
        assert others[0].result() == made
    assert made.path.stat().st_size == file_bytes(K)
    assert [path.name for path in made.path.parent.iterdir()] == [made.path.name]


def test_the_ceremony_is_recognised_by_its_digest_alone(fresh_cache: Path, ceremony: bytes) -> None:
    path = put(own_place(fresh_cache), ceremony)
    found = srs.find(K)
    assert found == Srs(path, K, srs.CEREMONY[K], srs_identity(ceremony), "ceremony")


def test_another_file_in_the_ceremonys_place_is_refused(fresh_cache: Path, ceremony: bytes) -> None:
    path = put(own_place(fresh_cache), ceremony[:-1] + b"?")
    with pytest.raises(InputError, match=f"'{path}' is not the ceremony's SRS: sha256") as caught:
        srs.find(K)
    assert caught.value.hint == f"delete it, then `zkprep srs get {K}`"


def test_a_ceremony_file_that_changes_is_no_longer_one(fresh_cache: Path, ceremony: bytes) -> None:
    path = put(own_place(fresh_cache), ceremony)
    assert srs.find(K) is not None
    path.write_bytes(ceremony[:-1] + b"?")
    with pytest.raises(InputError, match="is not the ceremony's SRS"):
        srs.find(K)


def test_the_ceremony_goes_before_a_test_file(fresh_cache: Path, ceremony: bytes) -> None:
    test = srs.generate(K, FakeBackend())
    put(own_place(fresh_cache), ceremony)
    origins = [found.origin for found in srs.list_all()]
    assert origins == ["ceremony", "test"]
    found = srs.find(K)
    assert found is not None
    assert found.origin == "ceremony"
    assert srs.find(K, "test") == test


@pytest.mark.parametrize("by", ["variable", "home"])
def test_ezkls_own_folder_is_searched_for_the_ceremony_only(
    tmp_path: Path, ceremony: bytes, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("EZKL_REPO_PATH", str(tmp_path / "ezkl"))
        path = tmp_path / "ezkl" / "srs" / f"kzg{K}.srs"
    else:
        monkeypatch.delenv("EZKL_REPO_PATH")
        monkeypatch.setenv("HOME", str(tmp_path))
        path = tmp_path / ".ezkl" / "srs" / f"kzg{K}.srs"
    put(path, ceremony)
    found = srs.find(K)
    assert found is not None
    assert (found.path, found.origin) == (path, "ceremony")
    for other in (ceremony[:-1] + b"?", ceremony[:100], b""):
        put(path, other)
        assert srs.find(K) is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], f"has {file_bytes(K) - 1} bytes; one of logrows {K} has"),
        (lambda data: b"", f"has 0 bytes; one of logrows {K} has {file_bytes(K)}"),
        (lambda data: b"\x07" + data[1:], f"says logrows 7, not {K}"),
    ],
)
def test_a_damaged_file_is_named(damage: Callable[[bytes], bytes], message: str) -> None:
    path = srs.generate(K, FakeBackend()).path
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        srs.find(K)
    assert f"'{path}'" in str(caught.value)
    assert "delete it" in caught.value.hint


@pytest.mark.parametrize("logrows", [0, 27, -1])
def test_logrows_beyond_the_ceremony_are_refused(logrows: int) -> None:
    with pytest.raises(InputError, match=f"logrows {logrows} is outside 1 to 26"):
        srs.find(logrows)
    with pytest.raises(InputError, match=f"logrows {logrows} is outside 1 to 26"):
        srs.obtain(logrows, FakeBackend())


def test_obtain_downloads_and_keeps_the_ceremonys(fresh_cache: Path, ceremony: bytes) -> None:
    told: list[str] = []
    network = Network(files={1: srs.CEREMONY_VERIFIER, K: ceremony})
    got = srs.obtain(K, network, notify=told.append)
    assert (got.path, got.origin) == (own_place(fresh_cache), "ceremony")
    assert srs.obtain(K, FakeBackend(), allow_test=False) == got
    assert network.asked == [1, K]
    assert told == []


def test_what_comes_is_judged_by_its_digest(fresh_cache: Path, ceremony: bytes) -> None:
    network = Network(files={1: srs.CEREMONY_VERIFIER, K: ceremony[:-1] + b"?"})
    with pytest.raises(BackendError, match="is not the ceremony's: sha256 .*, expected") as caught:
        srs.download(K, network)
    assert caught.value.stage == "get_srs"
    assert list(own_place(fresh_cache).parent.iterdir()) == []


def test_without_a_network_a_test_srs_is_made_and_said_to_be_one() -> None:
    told: list[str] = []
    made = srs.obtain(K, Network(), notify=told.append)
    assert made.origin == "test"
    assert told == [
        f"no ceremony SRS of logrows {K}: the host cannot be reached; generating one for tests",
        f"test SRS of logrows {K}, not secure: whoever made it can forge proofs",
    ]
    told.clear()
    assert srs.obtain(K, Network(), notify=told.append) == made
    assert told == [f"test SRS of logrows {K}, not secure: whoever made it can forge proofs"]


def test_a_host_that_does_not_answer_is_asked_once() -> None:
    network = Network()
    for logrows in (K, K + 1, K + 2):
        srs.obtain(logrows, network)
    assert network.asked == [1]


def test_a_test_srs_is_no_substitute_when_none_is_allowed() -> None:
    srs.generate(K, FakeBackend())
    with pytest.raises(BackendError, match="the host cannot be reached"):
        srs.obtain(K, Network(), allow_test=False)


def test_no_network_is_touched_when_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKPREP_OFFLINE", "1")
    network = Network(files={1: srs.CEREMONY_VERIFIER})
    with pytest.raises(BackendError, match="ZKPREP_OFFLINE is set"):
        srs.download(K, network)
    assert srs.obtain(K, network).origin == "test"
    assert network.asked == []


def test_the_verifiers_file_of_the_ceremony_is_the_ceremonys_smallest(
    fresh_cache: Path, ceremony: bytes
) -> None:
    put(own_place(fresh_cache), ceremony)
    found = srs.find(K)
    assert found is not None
    assert srs.verifier_file(found) == srs.CEREMONY_VERIFIER


def test_the_verifiers_file_of_a_test_srs_has_its_identity() -> None:
    made = srs.generate(K, FakeBackend())
    data, small = made.path.read_bytes(), srs.verifier_file(made)
    assert len(small) == VERIFIER_SRS_BYTES
    assert small[:4] == (1).to_bytes(4, "little")
    assert small[4:68] == data[4:68]
    assert small[-256:] == data[-256:]
    assert srs_identity(small) == made.identity != srs.generate(K + 1, FakeBackend()).identity


def test_the_small_file_of_a_truncated_one_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "short.srs", b"\x06\x00\x00\x00" * 40)
    with pytest.raises(InputError, match="'.*short.srs' has 160 bytes"):
        small_file(path, K)
