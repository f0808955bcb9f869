"""statement.json: one text per meaning, and nothing ill-formed gets through `load` or `dump`."""

import json
import re
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from honest_chain import honest_statement, places, raw, replace_port
from hypothesis import given, settings
from hypothesis import strategies as st

from zkprep.claims.statement import (
    Preparation,
    digest,
    dump,
    first_difference,
    load,
    summary,
)
from zkprep.errors import StatementError

HONEST = honest_statement()
TEXT = raw(HONEST)

replace = msgspec.structs.replace


def test_what_is_dumped_loads_as_the_same_statement() -> None:
    assert load(dump(HONEST)) == HONEST


def test_the_digest_is_the_sha256_of_the_file() -> None:
    assert digest(HONEST) == sha256(dump(HONEST)).hexdigest()


def edited(old: str, new: str) -> bytes:
    text = TEXT.decode()
    assert old in text
    return text.replace(old, new, 1).encode()


NOT_CANONICAL = {
    "white space": edited('"zkprep":', '"zkprep": '),
    "indented": json.dumps(json.loads(TEXT), indent=1).encode(),
    "no newline at the end": TEXT[:-1],
    "two newlines at the end": TEXT + b"\n",
    "carriage return": TEXT[:-1] + b"\r\n",
    "repeated field": edited('"zkprep":"0.1.0",', '"zkprep":"0.0.9","zkprep":"0.1.0",'),
    "repeated equal field": edited('"zkprep":"0.1.0",', '"zkprep":"0.1.0","zkprep":"0.1.0",'),
    "re-ordered fields": edited(
        '"zkprep":"0.1.0","prover":"ezkl 23.0.5"', '"prover":"ezkl 23.0.5","zkprep":"0.1.0"'
    ),
    "left out default": edited('"integer_constants":false', '"checks_boundary":false'),
    "escaped letter": edited('"prover":"ezkl', '"prover":"\\u0065zkl'),
    "negative zero": edited('"start":0', '"start":-0'),
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_another_spelling_of_the_same_statement_is_refused(data: bytes) -> None:
    with pytest.raises(StatementError, match="not in canonical form"):
        load(data)


NOT_A_STATEMENT = {
    "empty": (b"", "truncated"),
    "no object": (b"[]\n", "Expected `object`"),
    "truncated": (TEXT[:1000], "truncated"),
    "trailing bytes": (TEXT + b"{}", "trailing characters"),
    "byte order mark": (b"\xef\xbb\xbf" + TEXT, "malformed"),
    "not UTF-8": (TEXT.replace(b'"a"', b'"\xff"', 1), "can't decode byte 0xff"),
    "lone surrogate": (edited('"a"', '"\\ud800"'), "surrogate pair"),
    "unknown field": (edited('"zkprep":', '"note":1,"zkprep":'), "unknown field `note`"),
    "unknown field of a port": (edited('"start":0', '"first":0,"start":0'), "field `first`"),
    "unknown field of a spec": (edited('"logrows":10', '"rows":1,"logrows":10'), "field `rows`"),
    "missing field": (edited('"prover":"ezkl 23.0.5",', ""), "missing required field `prover`"),
    "float": (edited('"start":0', '"start":0.0'), "Expected `int`, got `float`"),
    "NaN": (edited('"start":0', '"start":NaN'), "malformed"),
    "boolean for a number": (edited('"start":0', '"start":false'), "got `bool`"),
    "number for a boolean": (
        edited('"checks_boundary":false', '"checks_boundary":0'),
        "Expected `bool`",
    ),
    "null": (edited('"start":0', '"start":null'), "got `null`"),
    "number as text": (edited('"start":0', '"start":"0"'), "got `str`"),
    "negative start": (edited('"start":0', '"start":-1'), "`int` >= 0"),
    "absurd length": (edited('"length":4', f'"length":{10**30}'), "Expected `int` <="),
    "absurd exponent": (edited('"length":4', '"length":1e400'), "out of range"),
    "zero dimension": (edited('"shape":[4]', '"shape":[0]'), "`int` >= 1"),
    "negative scale": (edited('"scale":7', '"scale":-7'), "`int` >= 0"),
    "another format": (edited("statement/1", "statement/2"), "Invalid enum value"),
    "upper-case digest": (edited(HONEST.model.original, "A" * 64), "matching regex"),
    "short digest": (edited(HONEST.model.original, "ab"), "matching regex"),
    "digest and newline": (edited(HONEST.model.original, "a" * 64 + "\\n"), "matching regex"),
    "hashed port": (edited('"visibility":"public"', '"visibility":"hashed"'), "'hashed'"),
    "unknown SRS": (edited('"origin":"ceremony"', '"origin":"friend"'), "'friend'"),
    "reference of three": (edited('"source":[0,0]', '"source":[0,0,0]'), "length 2"),
    "no slices": (raw(replace(HONEST, slices=())), "length >= 1"),
    "empty name": (edited('"tensor":"a"', '"tensor":""'), "length >= 1"),
    "deep nesting": (b"[" * 100_000, "Expected `object`"),
    "deep nesting in a field": (
        edited('"zkprep":"0.1.0"', '"zkprep":' + "[" * 100_000),
        "Expected `str`",
    ),
}


@pytest.mark.parametrize(("data", "message"), NOT_A_STATEMENT.values(), ids=NOT_A_STATEMENT)
def test_what_is_no_statement_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(StatementError, match="^not a zkprep statement: .*" + re.escape(message)):
        load(data)


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(StatementError, match="longer than 16777216 bytes"):
        load(b" " * (1 << 24) + b"{}")


def test_the_first_difference_is_named() -> None:
    assert first_difference(HONEST, HONEST) == ""
    rescaled = replace_port(HONEST, 1, "outputs", 0, scale=9)
    assert first_difference(rescaled, HONEST) == "slices[1].outputs[0].scale is 9, not 7"
    shorter = replace(HONEST, wires=HONEST.wires[:2])
    assert first_difference(shorter, HONEST) == "wires has 2 entries, not 3"
    cut = replace(HONEST.preparation, cut=(("sum",), ("relu",), ("join",)))
    recut = replace(HONEST, preparation=cut)
    assert first_difference(recut, HONEST) == "preparation.cut[0] has 1 entries, not 2"


def test_any_change_changes_the_digest() -> None:
    other = replace(
        HONEST,
        preparation=Preparation(passes=("fuse-affine",), dims=(), cut=HONEST.preparation.cut),
    )
    assert digest(load(raw(other))) != digest(HONEST)


def test_the_summary_says_what_a_reader_has_to_know() -> None:
    short = summary(HONEST)
    assert short.digest == digest(HONEST)
    assert (short.inputs, short.outputs) == (("'x' [4] at scale 7",), ("'y' [2] at scale 7",))
    assert short.slices[1] == (
        "'a' [1, 3] at scale 7 -> 'b' [1, 3] at scale 7; 2**10 rows, constants at scale 7, "
        "values up to 999999, ceremony SRS"
    )
    assert short.links == 3
    assert not short.test_srs
    assert summary(honest_statement("test")).test_srs


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255), st.booleans())
def test_a_changed_byte_is_refused_or_means_something_else(
    position: int, flip: int, truncate: bool
) -> None:
    data = bytearray(TEXT)
    data[position] ^= flip
    changed = TEXT[:position] if truncate else bytes(data)
    try:
        loaded = load(changed)
    except StatementError:
        return
    assert digest(loaded) == sha256(changed).hexdigest() != digest(HONEST)


JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(0, 5), max_size=4),
    st.dictionaries(st.sampled_from(["tensor", "slice", "spec"]), st.integers(0, 3), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), JSON)
def test_a_value_of_another_type_is_refused_or_means_something_else(
    random: Any, value: Any
) -> None:
    document = json.loads(TEXT)
    node, key = random.choice(places(document))
    node[key] = value
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    try:
        loaded = load(data.encode("utf-8", "surrogatepass") + b"\n")
    except StatementError:
        return
    assert json.loads(dump(loaded)) == document
