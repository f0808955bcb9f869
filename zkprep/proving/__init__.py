"""From a prepared model to proved slices: cut and size, witness, compare, prove, compose, report.

`job` is what every step needs; `sizing` cuts and chooses circuits; `prover` runs a variant through
EZKL behind the gate of `fidelity`; `compose` writes what is claimed, `assemble` what is reported.
"""
