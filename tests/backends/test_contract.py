"""What zkprep relies on, whichever prover is behind it: one suite for both."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tiny_slice import SPEC, VALUES, Files, MakeFiles, Prover, write_data

from zkprep.backends.base import read_witness
from zkprep.circuit import canonical_settings, read_settings, unsound
from zkprep.claims.felts import decode, encode, quantise
from zkprep.errors import BackendError, RangeExceeded
from zkprep.models.model import Runner, load


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_settings_are_canonical_sound_and_the_same_every_time(
    prover: Prover, make_files: MakeFiles
) -> None:
    files = make_files()
    again = files.folder / "again.json"
    prover.backend.gen_settings(files.model, SPEC, files.settings)
    prover.backend.gen_settings(files.model, SPEC, again)
    data = files.settings.read_bytes()
    assert data == again.read_bytes() == canonical_settings(data)
    assert unsound(read_settings(data)) == ""


def test_settings_say_what_the_spec_says(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    spec = replace(
        SPEC, input_scale=6, decomp_legs=3, checks_boundary=False, lookup_range=(-300, 400)
    )
    prover.backend.gen_settings(files.model, spec, files.settings)
    settings = read_settings(files.settings.read_bytes())
    assert settings.model_input_scales == [6]
    assert settings.run_args.decomp_legs == 3
    assert settings.run_args.lookup_range == (-300, 400)
    assert settings.run_args.ignore_range_check_inputs_outputs
    assert settings.model_instance_shapes == [[1, 1, 4, 4], [1, 2, 4, 4]]
    assert settings.version == prover.backend.version.rpartition(" ")[2]


def test_an_unchecked_boundary_costs_fewer_cells(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    cells = []
    for checks in (True, False):
        prover.backend.gen_settings(
            files.model, replace(SPEC, checks_boundary=checks), files.settings
        )
        cells.append(read_settings(files.settings.read_bytes()).total_assignments)
    assert cells[1] < cells[0]


def test_calibrated_settings_are_canonical_and_sound(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    prover.backend.calibrate(files.model, files.data, SPEC, files.settings)
    data = files.settings.read_bytes()
    assert data == canonical_settings(data)
    assert unsound(read_settings(data)) == ""


def test_the_table_shows_the_data_format_of_a_conv(prover: Prover, make_files: MakeFiles) -> None:
    table = prover.backend.table(make_files().model, SPEC)
    assert "data_format=NCHW" in table
    assert "data_format=CHW" not in table


def test_setup_is_deterministic(prover: Prover, proved: Files) -> None:
    vk, pk = proved.vk.read_bytes(), proved.pk.read_bytes()
    prover.settle(proved)
    prover.key(proved)
    assert proved.vk.read_bytes() == vk
    assert proved.pk.read_bytes() == pk


def test_the_witness_is_the_model_on_quantised_values(
    prover: Prover, make_files: MakeFiles
) -> None:
    files = make_files()
    prover.settle(files)
    prover.witness(files)
    witness = read_witness(files.witness)
    (outputs,) = witness.outputs
    feed = {"x": np.array(VALUES, dtype=np.float32).reshape(1, 1, 4, 4)}
    expected = Runner(load(files.model))(feed)["y"].ravel()
    found = np.array([decode(felt) for felt in outputs]) / 2**SPEC.input_scale
    assert [decode(felt) for felt in witness.inputs[0]] == quantise(
        np.array(VALUES), SPEC.input_scale
    )
    assert np.max(np.abs(found - expected)) < 0.05 < np.max(np.abs(expected))


def test_felts_pass_unscaled(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    integers = [-100, -1, 0, 1, 100, 7, -7, 50, 3, 2, 1, 0, -5, -60, 70, 80]
    write_data(files.data, [encode(value) for value in integers])
    prover.settle(files)
    prover.witness(files)
    assert read_witness(files.witness).inputs == [[encode(value) for value in integers]]


def test_numbers_are_quantised_half_away_from_zero(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    halves = [(number + 0.5) / 2**SPEC.input_scale for number in range(-8, 8)]
    write_data(files.data, halves)
    prover.settle(files)
    prover.witness(files)
    found = [decode(felt) for felt in read_witness(files.witness).inputs[0]]
    assert found == [-8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8]


def test_instances_are_the_inputs_then_the_outputs(prover: Prover, proved: Files) -> None:
    (instances,) = json.loads(proved.proof.read_bytes())["instances"]
    witness = read_witness(proved.witness)
    assert instances == [*witness.inputs[0], *witness.outputs[0]]
    assert len(instances) == read_settings(proved.settings.read_bytes()).instances == 48


def test_values_beyond_the_digits_are_refused(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    write_data(files.data, [value * 1e6 for value in VALUES])
    prover.settle(files)
    with pytest.raises(RangeExceeded, match=r"does not fit 2 digits of base 1016") as caught:
        prover.witness(files)
    assert caught.value.stage == "witness"
    assert not files.witness.exists()


def test_a_proof_that_would_never_end_is_refused(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files(activation="Sigmoid")
    prover.settle(files, replace(SPEC, lookup_range=(-10, 10)))
    prover.witness(files)
    files.pk.write_bytes(b"never read")
    found = read_witness(files.witness)
    message = f"from {found.min_lookup_inputs} to {found.max_lookup_inputs}.* hold -10 to 10"
    with pytest.raises(RangeExceeded, match=message):
        prover.prove(files)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([VALUES[:7]], "7 values"),
        ([[*VALUES[:15], "zz"]], "witness"),
        ([[*VALUES[:15], None]], "witness"),
    ],
)
def test_unusable_input_is_an_error(
    prover: Prover, make_files: MakeFiles, data: list[Any], message: str
) -> None:
    files = make_files()
    write_data(files.data, *data)
    prover.settle(files)
    with pytest.raises(BackendError, match=message):
        prover.witness(files)
    assert not files.witness.exists()


def test_a_missing_model_leaves_nothing_behind(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    files.model.unlink()
    before = names(files.folder)
    with pytest.raises(BackendError, match=r"gen_settings: there is no .*model.onnx'"):
        prover.backend.gen_settings(files.model, SPEC, files.settings)
    assert names(files.folder) == before


def test_a_failure_leaves_an_older_output_as_it_was(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    prover.settle(files)
    files.model.write_bytes(b"no longer a model")
    before = {path.name: path.read_bytes() for path in files.folder.iterdir()}
    with pytest.raises(BackendError, match="compile|gen_settings"):
        prover.backend.gen_settings(files.model, SPEC, files.settings)
    assert {path.name: path.read_bytes() for path in files.folder.iterdir()} == before


def test_unsound_settings_are_not_compiled(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    prover.backend.gen_settings(files.model, SPEC, files.settings)
    document = json.loads(files.settings.read_bytes())
    document["run_args"]["disable_freivalds"] = False
    files.settings.write_text(json.dumps(document))
    with pytest.raises(BackendError, match="unsound: the Freivalds einsum is on"):
        prover.backend.compile(files.model, files.settings, files.circuit)
    assert not files.circuit.exists()


def test_usage_is_positive(prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    backend = prover.backend
    for usage in (
        backend.gen_settings(files.model, SPEC, files.settings),
        backend.compile(files.model, files.settings, files.circuit),
        prover.key(files),
        prover.witness(files),
        prover.prove(files),
        prover.verify(files),
    ):
        assert usage.seconds > 0
        assert usage.cpu_seconds > 0
        assert usage.peak_bytes > 0
