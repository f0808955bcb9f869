"""Each message of EZKL's that zkprep knows, and what becomes of those it does not."""

import pytest

from zkprep.backends.failures import failure
from zkprep.backends.process import Outcome, Refusal
from zkprep.errors import BackendError, OutOfMemory, RangeExceeded, TooLarge


def refused(message: str, log: str = "", kind: str = "RuntimeError") -> Outcome:
    return Outcome(Refusal(kind, message), log, 0, 0)


@pytest.mark.parametrize(
    ("outcome", "error", "text"),
    [
        (
            refused(
                "Failed to generate witness: [graph] [halo2] General synthesis error",
                "[tensor] decomposition error: integer -22579870 is too large to be represented "
                "by base 1016 and n 2\n",
            ),
            RangeExceeded,
            "the value -22579870 does not fit 2 digits of base 1016 (largest: 1016**2 - 1)",
        ),
        (
            refused("[circuit] value (300) out of range: (-128, 128)"),
            RangeExceeded,
            "the value 300 lies outside the lookup range -128 to 128",
        ),
        (
            refused(
                "Failed to run setup: [halo2] General synthesis error",
                "[circuit] [halo2] k = 9 is too small for the given circuit. Try using a larger "
                "value of k\n",
            ),
            TooLarge,
            "2**9 rows are too few for the circuit",
        ),
        (
            refused(
                "called `Result::unwrap()` on an `Err` value: "
                "Halo2Error(NotEnoughRowsAvailable { current_k: 6 })",
                kind="PanicException",
            ),
            TooLarge,
            "2**6 rows are too few for the circuit",
        ),
        (
            refused(
                "[graph] extended k is too large to accommodate the quotient polynomial with "
                "logrows 26"
            ),
            TooLarge,
            "the circuit's degree is too high for 2**26 rows",
        ),
        (
            refused("[graph] lookup range 99999999 is too large"),
            TooLarge,
            "lookup range 99999999 is too large for the circuit's rows",
        ),
        (
            refused("Failed to run setup: [srs] failed to load srs from nope.srs"),
            BackendError,
            "there is no SRS at 'nope.srs'",
        ),
        (
            refused("Failed to run setup: [srs] failed to read srs failed to fill whole buffer"),
            BackendError,
            "the SRS file is truncated, or no SRS",
        ),
        (
            refused("Failed to run prove: [pfsys] failed to load pk from file: unexpected end"),
            BackendError,
            "the circuit or key is truncated, or of another EZKL version",
        ),
        (
            refused(
                "[graph] [tensor] dimensionality error when manipulating a tensor: "
                "Cannot reshape tensor of length 7 to [1, 1, 4, 4]"
            ),
            BackendError,
            "7 values were given where the shape is [1, 1, 4, 4]",
        ),
        (
            refused("[graph] a node is missing required params: stride"),
            BackendError,
            "an operator does not say its 'stride', which EZKL needs",
        ),
        (
            refused('[graph] [tract] Translating node #1 "y" Unimplemented(Mish) ToTyped'),
            BackendError,
            "operator Mish is not implemented",
        ),
        (
            refused("[graph] [halo2] General synthesis error", "Unknown op: Rem\n"),
            BackendError,
            "operator Rem is not supported",
        ),
        (
            refused("[graph] [tract] Undetermined symbol in expression: <Sym0>"),
            BackendError,
            "a dimension of the model is not fixed",
        ),
        (
            Outcome(None, "memory allocation of 68719476736 bytes failed\n", -6, 0),
            OutOfMemory,
            "an allocation of 68719476736 bytes failed",
        ),
        (
            refused("Failed to run setup: [io] No space left on device (os error 28)"),
            BackendError,
            "the disk is full",
        ),
        (
            refused("[reqwest] error sending request for url (https://example.org/kzg1.srs)"),
            BackendError,
            "'https://example.org/kzg1.srs' cannot be reached",
        ),
    ],
)
def test_a_known_message_says_what_happened_and_what_to_do(
    outcome: Outcome, error: type[BackendError], text: str
) -> None:
    found = failure("setup", outcome)
    assert type(found) is error
    assert str(found) == f"EZKL setup: {text}"
    assert found.stage == "setup"
    assert found.hint


def test_an_unknown_message_is_quoted_on_one_line_with_the_last_error_on_the_log() -> None:
    log = "low scale values (<8) may impact precision\n[graph] first\n[tensor] the cause\nnote\n"
    found = failure("compile", refused("Failed:\n  something new", log))
    assert str(found) == "EZKL compile failed: Failed: something new ([tensor] the cause)"
    assert type(found) is BackendError


def test_an_unknown_panic_is_called_one() -> None:
    found = failure("prove", refused("index out of bounds", kind="PanicException"))
    assert str(found) == "EZKL prove failed: panic: index out of bounds"


def test_a_killed_worker_says_what_it_held() -> None:
    found = failure("prove", Outcome(None, "", -9, 3 * 2**30))
    assert type(found) is OutOfMemory
    assert "EZKL prove was killed, most likely for lack of memory; it held 3072 MiB" in str(found)
    assert found.hint


def test_a_worker_that_died_otherwise_says_its_last_words() -> None:
    found = failure("setup", Outcome(None, "one\nImportError: no ezkl\n\n", 1, 0))
    assert str(found) == "EZKL setup died with exit code 1: ImportError: no ezkl"
