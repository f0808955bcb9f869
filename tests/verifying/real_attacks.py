"""What tables of attacks on real proofs have in common."""

import re

import pytest
from cheating import Attack
from honest_chain import Example
from real_chain import check

from zkprep.errors import VerificationError

Table = dict[str, tuple[Attack, type[VerificationError], str]]
REJECTED = "proof 'proof' is not valid"
"""What EZKL's own check of a proof has to say."""


def refused(example: Example, error: type[VerificationError], message: str) -> None:
    """The chain is refused with exactly this error."""
    with pytest.raises(error, match=re.escape(message)) as caught:
        example.verify(check)
    assert type(caught.value) is error
