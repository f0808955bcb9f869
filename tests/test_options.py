"""Options: what no preparation can be asked for is refused by name."""

import pytest

import zkprep
from zkprep.errors import InputError
from zkprep.options import (
    Link,
    Links,
    Options,
    memory_limit,
    parse_dims,
    parse_links,
    parse_memory,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("8GiB", 8 * 2**30), ("500MB", 500 * 10**6), ("1.5 g", 1_500_000_000), ("4096", 4096)],
)
def test_memory(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "much", "-1", "1XB", "0", "1e9", "GiB"])
def test_memory_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no amount of memory"):
        parse_memory(text)


def test_dims() -> None:
    assert parse_dims(["batch=1", "a=b=3"]) == {"batch": 1, "a=b": 3}


@pytest.mark.parametrize("pair", ["batch", "batch=", "=1", "batch=0", "batch=-1", "batch=x"])
def test_dims_refused(pair: str) -> None:
    with pytest.raises(InputError, match="is not NAME=VALUE"):
        parse_dims([pair])


def test_dims_twice() -> None:
    with pytest.raises(InputError, match="sets 'n' twice"):
        parse_dims(["n=1", "n=2"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0}, "--scale is 0; it must be from 1 to 30"),
        ({"blocks": 0}, "--blocks is 0"),
        ({"workers": 0}, "--workers is 0"),
        ({"blocks": 2, "workers": 2}, "--blocks and --workers were given"),
        ({"max_logrows": 40}, "--max-logrows is 40"),
        ({"max_proof_bytes": 0}, "--max-proof-bytes is 0"),
        ({"tolerance": 0.0}, "--tolerance is 0.0"),
        ({"tolerance": float("nan")}, "--tolerance is nan"),
    ],
)
def test_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Options(**options)  # type: ignore[arg-type]


def test_memory_limit_is_what_was_asked_for() -> None:
    assert memory_limit(Options(memory=5)) == 5
    assert memory_limit(Options()) > 0


def test_links() -> None:
    assert parse_links([]) == Links()
    assert parse_links(["a=b=public", "polycommit"]) == Links(Link.POLYCOMMIT, {"a=b": Link.PUBLIC})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["hashed"], "--link 'hashed' is not MODE or TENSOR=MODE, where MODE is public or poly"),
        (["a=private"], "--link 'a=private' is not MODE"),
        (["public", "polycommit"], "--link says twice how links are checked"),
        (["a=public", "a=polycommit"], "--link says twice how .a. is checked"),
        ([""], "--link '' is not MODE"),
    ],
)
def test_links_refused(given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_links(given)


def test_everything_an_option_is_made_of_is_offered() -> None:
    made = zkprep.Options(
        links=zkprep.Links(zkprep.Link.POLYCOMMIT),
        input_visibility=zkprep.InputVisibility.PRIVATE,
    )
    assert (made.links.everywhere, made.input_visibility) == ("polycommit", "private")
