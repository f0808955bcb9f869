"""What a verifier holds, what of it is left to the prover's check, and what has been proved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from zkprep.claims.statement import Statement


@dataclass(frozen=True, slots=True)
class Policy:
    """What the verifier holds before looking at a run (trusted).

    Attributes:
        expected: the statement's digest, or the statement rebuilt from the model.
        ceremony: sha256 of the ceremony's small SRS file.
        allow_test_srs: accept an SRS whose secret somebody may know.
        claimed: by model input or output, the integers the caller was told; see `quantised`.
    """

    expected: str | Statement
    ceremony: str
    allow_test_srs: bool = False
    claimed: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Obligation:
    """One proof the prover has to check, with the small SRS file to check it under."""

    slice: int
    proof: bytes
    settings: bytes
    vk: bytes
    srs: bytes


# Returns when every proof is valid; raises ProofRejected when one is not.
ProofChecker = Callable[[Sequence[Obligation]], None]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A model input or output as the circuits see it: integers, real value times 2**scale."""

    shape: tuple[int, ...]
    scale: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """A model output that is a function of a proved one, computed here: which, and its values."""

    function: str
    shape: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has been proved: the function of this statement takes `inputs` to `outputs`.

    Attributes:
        digest: of the statement.
        proofs: number of proofs.
        links: number of links between slices, of which `committed` are by commitment.
        inputs: the model's public inputs.
        outputs: of the model.
        test_srs: somebody may know the SRS's secret.
        private: the model's private inputs: the prover knows values of them, within the circuit's
            range, that lead to these outputs.
        committed: number of links whose values the verifier does not see.
        heads: the model's outputs that follow from the proved ones.
        assumed: slices of which it is assumed that no value leaves the field; None: of all.
    """

    digest: str
    proofs: int
    links: int
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    test_srs: bool
    private: tuple[str, ...] = ()
    committed: int = 0
    heads: dict[str, Derived] = field(default_factory=dict)
    assumed: tuple[str, ...] | None = None
