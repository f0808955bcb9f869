"""The fake's own promises: it is deterministic, and fails where it is told to."""

from pathlib import Path

import pytest
from tiny_slice import SPEC, Files, MakeFiles, Prover

from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.errors import BackendError, TimedOut


@pytest.fixture
def fake(tmp_path: Path) -> Prover:
    path = tmp_path / "kzg10.srs"
    FakeBackend().gen_srs(path, 10)
    return Prover(FakeBackend(), Srs(path, 10, "", "", "test"))


def test_two_runs_write_the_same_bytes(fake: Prover, make_files: MakeFiles) -> None:
    first, second = make_files("first"), make_files("second")
    for files in (first, second):
        fake.prove_all(files)
    names = sorted(path.name for path in first.folder.iterdir())
    assert {"settings.json", "circuit", "vk", "pk", "witness.json", "proof.json"} <= set(names)
    for name in names:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name


def test_usage_depends_on_the_work_alone(fake: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    fake.settle(files)
    assert fake.key(files) == fake.key(files)


def test_it_fails_where_it_is_told_to(fake: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    failing = Prover(FakeBackend(fail={"prove": TimedOut("took too long")}), fake.srs)
    with pytest.raises(TimedOut, match="took too long"):
        failing.prove_all(files)
    assert files.witness.exists()
    assert not files.proof.exists()


def test_an_srs_of_other_rows_is_refused(fake: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    fake.settle(files)
    other = files.folder / "kzg11.srs"
    fake.backend.gen_srs(other, 11)
    with pytest.raises(BackendError, match=r"the SRS has 2\*\*11 rows, the circuit 2\*\*10"):
        fake.backend.setup(files.circuit, other, files.vk, files.pk)


def test_a_key_of_another_circuit_is_refused(fake: Prover, make_files: MakeFiles) -> None:
    files, other = make_files("one"), make_files("two", seed=1)
    fake.prove_all(files)
    fake.prove_all(other)
    with pytest.raises(BackendError, match="the key is of another circuit"):
        fake.prove(_with_key_of(files, other))


def _with_key_of(files: Files, other: Files) -> Files:
    files.pk.write_bytes(other.pk.read_bytes())
    return files


def test_calibration_picks_rows_that_hold_the_cells(fake: Prover, make_files: MakeFiles) -> None:
    from zkprep.circuit import read_settings

    files = make_files()
    fake.backend.calibrate(files.model, files.data, SPEC, files.settings)
    settings = read_settings(files.settings.read_bytes())
    rows = 2**settings.run_args.logrows
    assert rows / 2 < max(settings.num_rows, SPEC.decomp_base) + 8 <= rows


def test_there_is_no_ceremony_to_be_had(fake: Prover, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot be reached"):
        fake.backend.get_srs(tmp_path / "kzg6.srs", 6)
