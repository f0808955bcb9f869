"""Every error zkprep raises: a failure has a blame, a rejection has an exit code of its own.

    ZkprepError                 exit 2: could not answer
      InputError                the user's file or option: what, where, what is supported
      UnsupportedModel          operators that EZKL cannot prove rightly, each with its reason
      PassError                 a pass broke its contract: our bug
      BackendError              the prover failed: stage, slice, its own words
        RangeExceeded, TooLarge
          NoCut
        WorkerLost              its worker ended without an answer
          OutOfMemory, TimedOut, Crashed
      Disagreement              a circuit computes something else than the model
      Imprecise                 a circuit computes the model too coarsely for the tolerance
      VerificationError         exit 1: the answer is no
        StatementError, ProofRejected, LinkMismatch, UntrustedSrs

Bytes from RUN/public can raise nothing but VerificationError.
"""

from typing import ClassVar


class ZkprepError(Exception):
    """Base of all; `str(error)` is the message, `error.hint` the next step (may be empty)."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(ZkprepError):
    """The user's file or option is not usable: says what, where, and what is supported."""


class UnsupportedModel(ZkprepError):
    """The model holds something EZKL cannot prove rightly and zkprep cannot rewrite exactly."""


class PassError(ZkprepError):
    """A rewrite pass broke its contract; names the passes that ran before it."""


class BackendError(ZkprepError):
    """The prover failed at `stage`, for `slice_name`, in its own words."""

    def __init__(
        self, message: str, *, stage: str = "", slice_name: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.stage = stage
        self.slice_name = slice_name


class WorkerLost(BackendError):
    """The prover's worker ended without an answer: another try, with more room, may have one."""


class OutOfMemory(WorkerLost):
    """The prover was killed, or would be, for lack of memory."""


class TimedOut(WorkerLost):
    """The prover did not answer within its time limit, or stopped working, and was killed."""


class Crashed(WorkerLost):
    """The prover panicked, or a signal ended it."""


class RangeExceeded(BackendError):
    """A value lies outside what the circuit's settings can represent."""


class TooLarge(BackendError):
    """The circuit does not fit the budget; the message says what would do."""


class NoCut(TooLarge):
    """No cut keeps the limits, by its cells; one that takes `least` bytes is the smallest."""

    def __init__(self, message: str, *, least: int, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.least = least


class Disagreement(ZkprepError):
    """A slice's circuit computes something else than the slice's model."""


class Imprecise(ZkprepError):
    """A circuit is its model's function, but quantised too coarsely for the tolerance.

    `bits` more bits after the binary point are needed at least.
    """

    def __init__(self, message: str, *, hint: str = "", bits: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.bits = bits


class VerificationError(ZkprepError):
    """The proofs do not prove the statement: the answer is no."""

    exit_code: ClassVar[int] = 1


class StatementError(VerificationError):
    """The statement is malformed, unsound, or not the expected one."""


class ProofRejected(VerificationError):
    """A proof is missing, malformed, or not valid for its pinned key and settings."""


class LinkMismatch(VerificationError):
    """The two ends of a wire carry different values, or a value is out of range."""


class UntrustedSrs(VerificationError):
    """The SRS is not the ceremony's and the caller did not allow a test SRS."""
