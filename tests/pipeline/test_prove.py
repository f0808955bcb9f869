"""The whole pipeline on the fake prover: slices, links, reports, resumption, refusals."""

import json
from pathlib import Path

import networks
import numpy as np
import pytest
from pipeline_case import Case

from zkprep import pipeline
from zkprep.backends.base import Usage
from zkprep.backends.fake import FakeBackend
from zkprep.claims.felts import decode, encode
from zkprep.errors import (
    BackendError,
    Disagreement,
    Imprecise,
    InputError,
    LinkMismatch,
    ProofRejected,
    StatementError,
    TooLarge,
    UntrustedSrs,
)
from zkprep.options import ENOUGH, SCALES, Baselines, Options
from zkprep.proving import search
from zkprep.report.types import Report, read_report
from zkprep.verifying import audit

THREE = Options(blocks=3)


def _digest(report: Report) -> str:
    assert report.verdict is not None
    return report.verdict.statement


def test_a_skip_across_slices(skip: Case) -> None:
    report = skip.proved(Options(blocks=6))
    assert report.verdict is not None
    assert report.verdict.accepted
    assert report.verdict.proofs == 6
    # Five wires along the chain and one for the skip that passes two slices by.
    assert report.verdict.links == 6
    assert set(report.variants) == {"ezkl", "plain", "prepared"}
    plain, prepared = report.variants["plain"].total, report.variants["prepared"].total
    assert plain is not None
    assert prepared is not None
    assert prepared.counts.ops == plain.counts.ops - 2
    assert prepared.measured is not None
    assert plain.measured is None
    assert prepared.fidelity is not None
    assert prepared.fidelity.argmax_agrees
    assert read_report(skip.folder / "run") == report


def test_several_inputs_and_outputs(two_ends: Case) -> None:
    report = two_ends.proved(Options(blocks=3))
    assert report.verdict is not None
    assert report.verdict.accepted
    verdict = audit.verify(
        two_ends.folder / "run/public", FakeBackend(), expect=_digest(report), allow_test_srs=True
    )
    assert list(verdict.inputs) == ["left", "right"]
    assert list(verdict.outputs) == ["low", "high"]
    assert verdict.outputs["low"].shape == (1, 3)


def test_baselines(skip: Case) -> None:
    proved = skip.prove(Options(blocks=2, baselines=Baselines.PROVE))
    for name in ("ezkl", "plain", "prepared"):
        total = proved.variants[name].total
        assert total is not None
        assert total.measured is not None, name
    alone = skip.prove(Options(blocks=2, baselines=Baselines.NONE), out="alone")
    assert set(alone.variants) == {"prepared"}


def test_the_statement_does_not_depend_on_the_input(skip: Case) -> None:
    other = networks.write_input(skip.folder / "other.json", [32], seed=7)
    first, second = skip.proved(THREE), skip.proved(THREE, out="second", data=other)
    assert _digest(first) == _digest(second)


def test_proofs_of_two_runs_do_not_mix(skip: Case) -> None:
    other = networks.write_input(skip.folder / "other.json", [32], seed=7)
    report = skip.proved(THREE)
    skip.proved(THREE, out="second", data=other)
    public = skip.folder / "run/public"
    foreign = skip.folder / "second/public/slices/001/proof.json"
    (public / "slices/001/proof.json").write_bytes(foreign.read_bytes())
    with pytest.raises(LinkMismatch, match="from slice 0 to 1: element 0 is"):
        audit.verify(public, FakeBackend(), expect=_digest(report), allow_test_srs=True)


def test_an_edited_output_is_rejected(skip: Case) -> None:
    report = skip.proved(THREE)
    path = skip.folder / "run/public/slices/002/proof.json"
    proof = json.loads(path.read_bytes())
    proof["instances"][0][-1] = "07" + "00" * 31
    path.write_text(json.dumps(proof))
    with pytest.raises(ProofRejected, match="slice 2"):
        audit.verify(path.parents[2], FakeBackend(), expect=_digest(report), allow_test_srs=True)


def test_the_statement_is_rebuilt_from_the_model(skip: Case) -> None:
    skip.proved(THREE)
    public = skip.folder / "run/public"
    verdict = audit.verify(public, FakeBackend(), model=skip.model, allow_test_srs=True)
    assert verdict.proofs == 3
    other = networks.build(skip.folder / "other.onnx", networks.SKIP, networks.SKIP_WEIGHTS, seed=1)
    with pytest.raises(StatementError, match="not the statement rebuilt from the model"):
        audit.verify(public, FakeBackend(), model=other, allow_test_srs=True)


def test_anchors(skip: Case) -> None:
    report = skip.proved(THREE)
    public = skip.folder / "run/public"
    with pytest.raises(InputError, match="verification needs one anchor"):
        audit.verify(public, FakeBackend())
    with pytest.raises(InputError, match="verification needs one anchor"):
        audit.verify(public, FakeBackend(), expect=_digest(report), model=skip.model)
    with pytest.raises(StatementError, match="expected 00"):
        audit.verify(public, FakeBackend(), expect="00" * 32, allow_test_srs=True)
    with pytest.raises(UntrustedSrs, match="test SRS"):
        audit.verify(public, FakeBackend(), expect=_digest(report))


def test_the_told_input_is_compared_with_the_proved_one(two_ends: Case) -> None:
    digest = _digest(two_ends.proved(Options(blocks=3)))
    public = two_ends.folder / "run/public"

    def verify(told: Path) -> None:
        audit.verify(public, FakeBackend(), expect=digest, allow_test_srs=True, told=told)

    verify(two_ends.data)
    tensors = [np.array(one, np.float32).reshape(1, 4) for one in _tensors(two_ends.data)]
    np.savez(two_ends.folder / "same.npz", left=tensors[0], right=tensors[1])
    verify(two_ends.folder / "same.npz")
    np.savez(two_ends.folder / "swapped.npz", left=tensors[1], right=tensors[0])
    with pytest.raises(LinkMismatch, match="'left': element 0 is .* in the proof, .* in the claim"):
        verify(two_ends.folder / "swapped.npz")
    with pytest.raises(InputError, match="holds 1 tensors; the model's inputs are"):
        verify(networks.write_input(two_ends.folder / "one.json", [4]))


def _tensors(path: Path) -> list[list[float]]:
    found: list[list[float]] = json.loads(path.read_text())["input_data"]
    return found


def test_a_strange_file_in_public_is_refused(skip: Case) -> None:
    report = skip.proved(THREE)
    public = skip.folder / "run/public"
    (public / "slices/000/pk").write_text("")
    with pytest.raises(StatementError, match="'slices/000/pk' does not belong"):
        audit.verify(public, FakeBackend(), expect=_digest(report))


def _events(run: Path) -> list[str]:
    lines = (run / "events.jsonl").read_text().splitlines()
    return [f"{e['slice']} {e['stage']}" for e in map(json.loads, lines)]


def test_a_run_that_died_goes_on(skip: Case) -> None:
    backend = FakeBackend(fail={"prove": BackendError("killed")})
    with pytest.raises(BackendError, match="killed"):
        skip.prove(THREE, backend=backend)
    run = skip.folder / "run"
    assert not (run / "public").exists()
    assert not (run / "report.json").exists()
    before = _events(run)
    report = skip.prove(THREE)
    assert report.verdict is not None
    assert report.verdict.accepted
    again = _events(run)[len(before) :]
    assert not set(before) & set(again), "a finished stage was done again"
    # The fake prover's set-up of slice 0 was finished before its proof died.
    assert "prepared/000 setup" in before
    skip.prove(THREE)
    assert len(_events(run)) == len(before) + len(again)


def test_another_zkprep_fits_anew_and_reuses_the_keys(
    skip: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip.proved(THREE)
    before = len(_events(skip.folder / "run"))
    monkeypatch.setattr(pipeline, "__version__", "0.0.0")
    skip.prove(THREE)
    again = _events(skip.folder / "run")[before:]
    assert "prepared/chain fit" in again
    assert "prepared/000 setup" not in again


def test_another_input_reuses_the_keys(skip: Case) -> None:
    skip.proved(THREE)
    before = len(_events(skip.folder / "run"))
    other = networks.write_input(skip.folder / "other.json", [32], seed=7)
    skip.prove(THREE, data=other)
    again = _events(skip.folder / "run")[before:]
    assert "prepared/000 prove" in again
    assert "prepared/000 setup" not in again


def test_fewer_slices_leave_no_stale_files(skip: Case) -> None:
    skip.proved(THREE)
    skip.prove(Options(blocks=2))
    slices = sorted(path.name for path in (skip.folder / "run/public/slices").iterdir())
    assert slices == ["000", "001"]


class Negating(FakeBackend):
    """A prover whose circuits get their first value wrong, whatever the precision."""

    def witness(self, circuit: Path, data: Path, out: Path) -> Usage:
        usage = super().witness(circuit, data, out)
        made = json.loads(out.read_bytes())
        made["outputs"][0][0] = encode(4096 - decode(made["outputs"][0][0]))
        out.write_text(json.dumps(made))
        return usage


def test_a_circuit_that_computes_something_else_stops_the_run(skip: Case) -> None:
    with pytest.raises(
        Disagreement, match=r"slice 000 \(prepared\) computes something else"
    ) as why:
        skip.prove(THREE, backend=Negating())
    assert "more bits do not lower it" in str(why.value)
    assert not (skip.folder / "run/public").exists()
    stages = _events(skip.folder / "run")
    assert not [stage for stage in stages if "setup" in stage]


def test_quantisation_error_is_no_disagreement(skip: Case) -> None:
    options = Options(blocks=3, scale=4, tolerance=1e-3)
    with pytest.raises(
        Imprecise, match=r"slice 00\d \(prepared\) is too coarse: .* 4 bits more"
    ) as why:
        skip.prove(options)
    scale = int(why.value.hint.removeprefix("--scale ").split()[0])
    assert scale >= 8, "as many bits as keep the tolerance, not only those that were tried"


def _nearly_tied(folder: Path, apart: float, low: float = 0.5) -> Case:
    """A ReLU of three numbers, the last two of them `low` and so far `apart`."""
    folder.mkdir(exist_ok=True)
    networks.relu_model(folder / "relu.onnx", (1, 3))
    data = folder / "relu.json"
    data.write_text(json.dumps({"input_data": [[0.0, low, low + apart]]}))
    return Case(folder, folder / "relu.onnx", data)


def _agrees(report: Report) -> bool:
    total = report.variants["prepared"].total
    assert total is not None
    assert total.fidelity is not None
    return total.fidelity.argmax_agrees


def test_the_scale_grows_until_the_argmax_is_the_models(tmp_path: Path) -> None:
    report = _nearly_tied(tmp_path, 1e-3).prove(Options(blocks=1))
    assert report.scale > SCALES[0]
    assert _agrees(report)


@pytest.mark.parametrize(("low", "apart", "scale"), [(0.5, 1e-3, SCALES[0]), (0.3, 6.5e-7, None)])
def test_another_argmax_is_refused_at_the_last_scale_too(
    low: float, apart: float, scale: int | None, tmp_path: Path
) -> None:
    case = _nearly_tied(tmp_path, apart, low)
    with pytest.raises(Imprecise, match="its largest output is another than the model's") as why:
        case.prove(Options(blocks=1, scale=scale))
    assert "a --tolerance above 0.01" in why.value.hint
    assert not (tmp_path / "run/public").exists()
    report = case.prove(Options(blocks=1, scale=scale, tolerance=0.02))
    assert not _agrees(report)
    assert report.scale in (scale, ENOUGH), "a large tolerance asks for no more"


def test_what_the_model_itself_can_not_tell_apart_is_tied(tmp_path: Path) -> None:
    assert _agrees(_nearly_tied(tmp_path, 1e-7).prove(Options(blocks=1, scale=SCALES[0])))


def test_another_argmax_of_a_further_input_is_refused_too(tmp_path: Path) -> None:
    case = _nearly_tied(tmp_path, 0.25)
    near = _nearly_tied(tmp_path / "near", 1e-3)
    with pytest.raises(Imprecise, match="its largest output is another"):
        case.prove(Options(blocks=1, scale=SCALES[0]), data=[case.data, near.data])
    assert case.prove(Options(blocks=1), data=[case.data, near.data]).scale > SCALES[0]


def test_the_scale_grows_until_the_tolerance_is_kept(skip: Case) -> None:
    coarse = skip.prove(Options(blocks=2, tolerance=0.05))
    fine = skip.prove(Options(blocks=2, tolerance=1e-4), out="fine")
    assert coarse.scale == SCALES[0]
    assert fine.scale in SCALES[1:]
    total = fine.variants["prepared"].total
    assert total is not None
    assert total.fidelity is not None
    assert total.fidelity.relative_error < 1e-3


@pytest.mark.parametrize(
    ("scale", "bits", "then"),
    [(8, 1, 9), (8, 12, ENOUGH), (13, 2, ENOUGH), (ENOUGH, 1, 18), (ENOUGH, 3, 20), (18, 9, 20)],
)
def test_finer_scales_are_tried_only_after_enough(scale: int, bits: int, then: int) -> None:
    assert search._finer(SCALES[SCALES.index(scale) :], bits)[0] == then


def test_small_weights_on_large_inputs_have_more_bits_than_do_for_others(tmp_path: Path) -> None:
    """Pixels from 0 to 255, and outputs of which ENOUGH bits leave little."""
    case = Case(tmp_path, *networks.pixels(tmp_path, 2.0**-20))
    with pytest.raises(Imprecise, match="too coarse"):
        case.prove(Options(blocks=1, scale=ENOUGH))
    report = case.prove(Options(blocks=1))
    assert report.scale in SCALES
    assert report.scale > ENOUGH
    assert _agrees(report)
    total = report.variants["prepared"].total
    assert total is not None
    assert total.fidelity is not None
    assert total.fidelity.relative_error <= report.tolerance


@pytest.mark.parametrize(
    ("shape", "sizes", "options", "error", "message"),
    [
        ((1, 4), [5], Options(), InputError, r"has shape \[5\] \(5 elements\)"),
        ((1, "k"), [5], Options(), InputError, "'k'"),
        ((1, 4), [4], Options(blocks=2), InputError, "asks for 2 slices"),
    ],
)
def test_bad_input_leaves_no_run(
    tmp_path: Path,
    shape: tuple[int | str, ...],
    sizes: list[int],
    options: Options,
    error: type[Exception],
    message: str,
) -> None:
    model = networks.relu_model(tmp_path / "relu.onnx", shape)
    data = networks.write_input(tmp_path / "in.json", sizes)
    with pytest.raises(error, match=message):
        Case(tmp_path, model, data).prove(options)
    assert not (tmp_path / "run/public").exists()


def test_circuits_hold_the_values_of_samples_too(skip: Case) -> None:
    skip.proved(Options(blocks=2))
    samples = skip.folder / "samples.npy"
    np.save(samples, np.full((2, 1, 2, 4, 4), 1e5, dtype=np.float32))
    skip.prove(Options(blocks=2, samples=samples), out="wide")
    narrow, wide = (audit.claim_of(skip.folder / run).slices[0] for run in ("run", "wide"))
    assert wide.spec.largest_value >= 4 * 1e5 * 2**wide.spec.input_scale
    assert wide.spec.largest_value > narrow.spec.largest_value


def test_every_choice_is_in_the_report(skip: Case) -> None:
    report = skip.proved(Options(blocks=2))
    for part in report.variants["prepared"].slices:
        assert part.choices[0].setting == "digits; rows"
    assert not any(part.choices for part in report.variants["plain"].slices)


def test_proofs_that_cannot_be_so_short_are_refused(skip: Case) -> None:
    with pytest.raises(TooLarge, match="bytes at least, --max-proof-bytes is 100"):
        skip.prove(Options(blocks=2, max_proof_bytes=100))


def test_the_memory_a_slice_needs_is_told_with_the_slicing_that_fits(skip: Case) -> None:
    free = skip.prove(Options(blocks=1))
    total = free.variants["prepared"].total
    assert total is not None
    short = int(0.9 * total.predicted.peak_bytes)
    with pytest.raises(TooLarge) as why:
        skip.prove(Options(blocks=1, memory=short), out="short")
    assert "--memory" in why.value.hint
    assert not (skip.folder / "short/public").exists()
