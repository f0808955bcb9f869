"""Links by commitment and private inputs: who sees what, from the options to the verdict."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import networks
import pytest
from pipeline_case import Case

from zkprep.backends.fake import FakeBackend
from zkprep.claims.claim import Wire
from zkprep.errors import InputError, LinkMismatch
from zkprep.options import Baselines, InputVisibility, Link, Links, Options
from zkprep.report.types import Report
from zkprep.verifying import audit
from zkprep.verifying.verdict import Verdict

COMMITTED = Links(Link.POLYCOMMIT)
COMMIT = "polycommit"
HIDDEN = InputVisibility.PRIVATE
SCALE = 10
"""Enough bits for every network here; where none are given, the least are looked for."""


def accepted(case: Case, report: Report, run: str = "run") -> Verdict:
    assert report.verdict is not None
    assert report.verdict.accepted, report.verdict.reason
    public = case.folder / run / "public"
    return audit.verify(public, FakeBackend(), expect=report.verdict.statement, allow_test_srs=True)


def test_every_link_is_committed(skip: Case) -> None:
    report = skip.prove(Options(blocks=6, links=COMMITTED))
    verdict = accepted(skip, report)
    assert (verdict.links, verdict.committed, verdict.private) == (6, 6, ())
    claim = audit.claim_of(skip.folder / "run")
    first, middle, *_ = claim.slices
    join = next(one for one in claim.slices if len(one.inputs) == 2)
    seen = [(s.spec.input_visibility, s.spec.output_visibility) for s in claim.slices]
    assert seen == [
        ("public", "polycommit"),
        *[("polycommit", "polycommit")] * 4,
        ("polycommit", "public"),
    ]
    assert len({s.spec.logrows for s in claim.slices}) == 1
    assert [port.start for port in (*middle.inputs, *middle.outputs)] == [0, 1]
    assert [port.start for port in (*join.inputs, *join.outputs)] == [0, 1, 2]
    assert not any(s.spec.checks_boundary for s in claim.slices)
    assert len(first.outputs) == 1


def test_the_model_is_an_anchor_of_committed_links_too(skip: Case) -> None:
    report = skip.prove(Options(scale=SCALE, blocks=3, links=COMMITTED, input_visibility=HIDDEN))
    public = skip.folder / "run/public"
    by_model = audit.verify(public, FakeBackend(), model=skip.model, allow_test_srs=True)
    assert by_model.assumed is not None
    assert replace(by_model, assumed=None) == accepted(skip, report)


def test_committed_runs_do_not_mix(skip: Case) -> None:
    options = Options(scale=SCALE, blocks=3, links=COMMITTED, baselines=Baselines.NONE)
    other = networks.write_input(skip.folder / "other.json", [32], seed=7)
    report = skip.prove(options)
    skip.prove(options, out="second", data=other)
    public = skip.folder / "run/public"
    foreign = skip.folder / "second/public/slices/001/proof.json"
    (public / "slices/001/proof.json").write_bytes(foreign.read_bytes())
    assert report.verdict is not None
    with pytest.raises(LinkMismatch, match="from slice 0 to 1: the commitment is "):
        audit.verify(public, FakeBackend(), expect=report.verdict.statement, allow_test_srs=True)


def test_a_private_input_is_checked_by_its_circuit_and_shown_to_nobody(skip: Case) -> None:
    report = skip.prove(Options(scale=SCALE, blocks=3, input_visibility=HIDDEN))
    verdict = accepted(skip, report)
    assert (verdict.private, verdict.inputs, verdict.committed) == (("image",), {}, 0)
    first, *others = audit.claim_of(skip.folder / "run").slices
    assert (first.spec.input_visibility, first.spec.checks_boundary) == ("private", True)
    assert not any(one.spec.checks_boundary for one in others)


def test_nothing_can_be_told_of_a_private_input(skip: Case) -> None:
    report = skip.prove(
        Options(scale=SCALE, blocks=3, input_visibility=HIDDEN, baselines=Baselines.NONE)
    )
    assert report.verdict is not None
    with pytest.raises(LinkMismatch, match="nothing is proved of 'image', only of 'logits'"):
        audit.verify(
            skip.folder / "run/public",
            FakeBackend(),
            expect=report.verdict.statement,
            allow_test_srs=True,
            told=skip.data,
        )


def test_a_private_whole_model(skip: Case) -> None:
    verdict = accepted(skip, skip.prove(Options(blocks=1, input_visibility=HIDDEN)))
    assert (verdict.private, list(verdict.outputs)) == (("image",), ["logits"])


def _readers(wires: Sequence[Wire], tensor: str) -> set[int]:
    return {wire.target.slice for wire in wires if wire.tensor == tensor}


def test_a_named_link_spreads_over_the_sides_it_shares(skip: Case) -> None:
    skip.proved(Options(scale=SCALE, blocks=6))
    wires = audit.claim_of(skip.folder / "run").wires
    read_twice = next(w.tensor for w in wires if len(_readers(wires, w.tensor)) == 2)
    named = Links(Link.PUBLIC, {read_twice: Link.POLYCOMMIT})
    verdict = accepted(
        skip, skip.prove(Options(scale=SCALE, blocks=6, links=named), out="named"), "named"
    )
    sides = _readers(wires, read_twice)
    alike = [w for w in wires if w.target.slice in sides]
    assert verdict.committed == len({w.target for w in alike}) > 1


def test_what_stands_beside_the_models_own_tensors_cannot_be_committed(two_ends: Case) -> None:
    """Both refusals name what to leave public, and then the rest is proved."""
    left: dict[str, Link] = {}
    said = []
    while len(said) < 5:
        try:
            report = two_ends.prove(
                Options(scale=SCALE, blocks=5, links=Links(Link.POLYCOMMIT, left))
            )
            break
        except InputError as error:
            said.append(str(error))
            named = re.match(r"--link (\w+)=public", error.hint)
            assert named is not None
            left[named[1]] = Link.PUBLIC
            assert not (two_ends.folder / "run/public").exists()
    assert len(said) == len(left) == 2
    assert any("cannot be committed: 'right', input of the model, is public" in s for s in said)
    assert any("cannot be committed: 'high', output of the model, is public" in s for s in said)
    verdict = accepted(two_ends, report)
    assert 0 < verdict.committed == verdict.links - 2


def test_a_private_input_beside_a_link_is_refused(two_ends: Case) -> None:
    with pytest.raises(InputError, match="'right' cannot be private: slice 00. reads it beside "):
        two_ends.prove(Options(scale=SCALE, blocks=3, input_visibility=HIDDEN))


def test_a_private_input_of_two_slices_is_refused(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    twice (float[1, 4] x) => (float[1, 4] y, float[1, 4] z)
    { a = MatMul (x, W1)  y = Relu (a)  b = MatMul (x, W2)  z = Relu (b) }
    """
    model = networks.build(tmp_path / "twice.onnx", text, {"W1": (4, 4), "W2": (4, 4)})
    case = Case(tmp_path, model, networks.write_input(tmp_path / "in.json", [4]))
    with pytest.raises(InputError, match="'x' cannot be private: 2 slices read it"):
        case.prove(Options(scale=SCALE, blocks=2, input_visibility=HIDDEN))
    assert accepted(
        case, case.prove(Options(scale=SCALE, blocks=1, input_visibility=HIDDEN))
    ).private == ("x",)


def test_a_name_that_is_no_link_is_refused(skip: Case) -> None:
    links = Links(Link.PUBLIC, {"logits": Link.POLYCOMMIT})
    with pytest.raises(InputError, match="--link: 'logits' is no tensor between slices; they are"):
        skip.prove(Options(scale=SCALE, blocks=3, links=links))


def test_links_that_share_a_side_cannot_differ(skip: Case) -> None:
    skip.proved(Options(scale=SCALE, blocks=6))
    slices = audit.claim_of(skip.folder / "run").slices
    target = next(one for one in slices if len(one.inputs) == 2)
    modes = dict(zip([p.tensor for p in target.inputs], Link, strict=True))
    with pytest.raises(InputError, match="share sides of slices: give them one mode"):
        skip.prove(Options(scale=SCALE, blocks=6, links=Links(Link.PUBLIC, modes)), out="mixed")
