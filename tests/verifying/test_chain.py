"""chain.verify: what it accepts, what it hands on, and that no bytes can break it."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from honest_chain import CEREMONY, OTHER_X, TEST_SRS, Example, X, honest, places, sha
from hypothesis import given, settings
from hypothesis import strategies as st

from zkprep.errors import InputError, VerificationError
from zkprep.verifying.chain import quantised
from zkprep.verifying.trust import SrsFiles
from zkprep.verifying.verdict import Obligation, Tensor, Verdict

HONEST = honest()
OTHER = honest(OTHER_X)
Y = (90, 70)


def test_an_honest_chain_is_accepted() -> None:
    verdict = HONEST.verify()
    assert verdict.digest == sha(HONEST.statement)
    assert (verdict.proofs, verdict.links, verdict.test_srs) == (3, 3, False)
    assert verdict.inputs == {"x": Tensor((4,), 7, X)}
    assert verdict.outputs == {"y": Tensor((2,), 7, Y)}


def test_runs_on_other_inputs_have_the_same_anchor() -> None:
    assert OTHER.with_policy(expected=HONEST.policy.expected).verify().inputs["x"].values == OTHER_X


def test_a_rebuilt_statement_is_an_anchor() -> None:
    assert HONEST.with_policy(expected=HONEST.claim).verify() == HONEST.verify()


def test_the_values_the_caller_was_told_are_accepted() -> None:
    told = {"x": list(X), "y": list(Y)}
    assert HONEST.with_policy(claimed=told).verify() == HONEST.verify()


def test_a_test_srs_is_accepted_when_allowed_and_says_so() -> None:
    assert honest(origin="test").with_policy(allow_test_srs=True).verify().test_srs


def test_only_authenticated_parts_of_a_proof_reach_the_prover() -> None:
    seen: list[Obligation] = []
    HONEST.verify(seen.extend)
    assert [one.slice for one in seen] == [0, 1, 2]
    for one, files in zip(seen, HONEST.bundle, strict=True):
        document = json.loads(files.proof)
        kept = {name: document[name] for name in ("instances", "proof")}
        assert json.loads(one.proof) == kept
        assert (one.settings, one.vk, one.srs) == (files.settings, files.vk, CEREMONY)


def test_quantised_gives_what_the_proof_shows() -> None:
    x = np.array([3.0, -4.0, 5.0, 70.0]) / 2**7
    y = np.array([90.4, 69.5]) / 2**7
    told = {"x": quantised(HONEST.claim, "x", x), "y": quantised(HONEST.claim, "y", y)}
    assert told == {"x": list(X), "y": list(Y)}
    assert HONEST.with_policy(claimed=told).verify() == HONEST.verify()


@pytest.mark.parametrize(
    ("tensor", "values", "message"),
    [
        ("b", [0.0, 0.0, 0.0], "the statement has no input or output 'b', only 'x', 'y'"),
        ("y", [0.0], "'y' needs 2 finite values, shape [2]; got 1 of shape [1]"),
        ("y", [0.0, float("nan")], "'y' needs 2 finite values"),
        ("y", [0.0, float("inf")], "'y' needs 2 finite values"),
    ],
)
def test_quantised_refuses_what_is_no_value_of_the_tensor(
    tensor: str, values: list[float], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        quantised(HONEST.claim, tensor, np.array(values))


FILES = ("settings", "vk", "proof")
EXTREMES = ["", "\ud800", -1, 0.5, 1 << 70, True, None, [], {}, [[]], [[[[]]]], {"instances": 1}]


def outcome(example: Example) -> Verdict | None:
    """The verdict, or None when verification says no; anything else is a bug."""
    try:
        return example.verify()
    except VerificationError:
        return None


def damaged(data: bytes, position: int, flip: int, truncate: bool) -> bytes:
    position %= len(data)
    changed = bytes([data[position] ^ flip])
    return data[:position] if truncate else data[:position] + changed + data[position + 1 :]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([(index, name) for index in range(3) for name in FILES]),
    st.integers(0, 1 << 16),
    st.integers(1, 255),
    st.booleans(),
)
def test_damaged_files_never_change_what_is_proved(
    place: tuple[int, str], position: int, flip: int, truncate: bool
) -> None:
    index, name = place
    data = damaged(getattr(HONEST.bundle[index], name), position, flip, truncate)
    verdict = outcome(HONEST.with_files(index, **{name: data}))
    assert verdict is None or (name == "proof" and verdict == HONEST.verify())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 16), st.integers(1, 255), st.booleans())
def test_damaged_settings_that_are_pinned_are_refused(
    position: int, flip: int, truncate: bool
) -> None:
    """A statement may pin anything, so the settings are parsed; the proof is made anew."""
    data = damaged(HONEST.bundle[1].settings, position, flip, truncate)
    verdict = outcome(HONEST.with_settings(1, data))
    assert verdict is None or verdict.outputs == HONEST.verify().outputs


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 16), st.integers(1, 255), st.booleans())
def test_a_damaged_statement_that_is_expected_proves_no_other_values(
    position: int, flip: int, truncate: bool
) -> None:
    data = damaged(HONEST.statement, position, flip, truncate)
    verdict = outcome(replace(HONEST, statement=data).with_policy(expected=sha(data)))
    assert verdict is None or (verdict.inputs, verdict.outputs) == (
        HONEST.verify().inputs,
        HONEST.verify().outputs,
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 515), st.integers(1, 255), st.booleans())
def test_a_damaged_srs_file_is_refused(position: int, flip: int, truncate: bool) -> None:
    ceremony = damaged(CEREMONY, position, flip, truncate)
    assert outcome(replace(HONEST, srs=replace(HONEST.srs, ceremony=ceremony))) is None


@pytest.mark.parametrize("position", [68, 131, 132, 259])
def test_what_no_verifier_reads_of_a_test_srs_does_not_reach_the_prover(position: int) -> None:
    """Of the small file, the generators and tau in G2 are pinned and nothing else."""
    example = honest(origin="test").with_policy(allow_test_srs=True)
    data = damaged(TEST_SRS, position, 255, False)
    assert data != TEST_SRS
    met: list[Obligation] = []
    replace(example, srs=SrsFiles(CEREMONY, {10: data})).verify(met.extend)
    assert {one.srs for one in met} == {TEST_SRS}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["settings", "proof"]),
    st.randoms(use_true_random=False),
    st.sampled_from(EXTREMES),
)
def test_values_of_other_types_never_change_what_is_proved(
    name: str, random: Any, value: object
) -> None:
    document = json.loads(getattr(HONEST.bundle[1], name))
    node, key = random.choice(places(document))
    node[key] = value
    data = json.dumps(document, separators=(",", ":")).encode()
    example = (
        HONEST.with_settings(1, data) if name == "settings" else HONEST.with_files(1, proof=data)
    )
    verdict = outcome(example)
    assert verdict is None or verdict.outputs == HONEST.verify().outputs
