"""BN254 points as EZKL writes them, and what a verifier reads of an SRS file: its identity.

A point of G1 is 64 bytes (in a proof x, then y, big-endian), one of G2 128. The committed tensors
of a slice are the first points of its proof: EZKL makes their columns before all others.

Source: EZKL 23.0.5 `src/graph/mod.rs` configure_with_params, `src/execute.rs` verify
(`reduced_srs`); halo2 `ParamsKZG::write`.
"""

from hashlib import sha256

G1_BYTES = 64
G2_BYTES = 128
SRS_HEADER_BYTES = 4


def srs_identity(data: bytes) -> str:
    """The identity of an SRS file, of any size: sha256 of all that a verifier reads of it.

    That is the generators of G1 and G2 and tau in G2: whoever may replace a generator needs no tau.
    """
    power = data[SRS_HEADER_BYTES : SRS_HEADER_BYTES + G1_BYTES]
    return sha256(power + data[-2 * G2_BYTES :]).hexdigest()
