"""Damaged public folders: thousands with the fake prover (real proofs: test_attacks_ezkl)."""

import json
from pathlib import Path

import fuzz_public
import pytest
from fuzz_public import Target

MUTATIONS = 2000
AUTOENCODER = Path(__file__).parents[2] / "circuits/autoencoder/public"


def test_no_damage_is_more_than_an_honest_no(tmp_path: Path) -> None:
    targets = [Target(public) for public in fuzz_public.published(tmp_path)]
    assert [t.honest.committed for t in targets] == [0, targets[1].honest.links]
    for first, target in enumerate(targets):
        numbers = range(first, MUTATIONS, len(targets))
        assert list(fuzz_public.failures(target, numbers)) == []


def test_what_would_be_a_finding_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer itself: a verifier that accepts all, and one that falls over."""
    target = Target(fuzz_public.published(tmp_path)[0])
    other = target.honest.__class__("", 0, 0, {}, {}, False)
    monkeypatch.setattr(fuzz_public, "verified", lambda *_: other)
    assert list(fuzz_public.failures(target, range(20)))
    monkeypatch.setattr(fuzz_public, "verified", lambda *_: json.loads("{"))
    assert "JSONDecodeError" in next(fuzz_public.failures(target, range(1)))


def test_nothing_but_a_proof_reaches_the_prover_unpinned() -> None:
    assert list(fuzz_public.unpinned(AUTOENCODER, range(60))) == []


def test_what_would_reach_the_prover_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkprep.verifying.evidence._require_digest", lambda *_: None)
    assert "reaches the prover" in next(fuzz_public.unpinned(AUTOENCODER, range(40)))
