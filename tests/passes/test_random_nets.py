"""The contract holds on networks nobody wrote by hand, and every candidate is accounted for."""

import pytest
from net import check_hygiene, check_interface, check_second_run
from random_nets import RandomNet

from zkprep.passes import default_passes
from zkprep.passes.affine import FuseAffine
from zkprep.passes.base import run_passes


@pytest.mark.parametrize("seed", range(120))
def test_random_net(seed: int) -> None:
    net = RandomNet(seed).grow(2 + seed % 7)
    assert net is not None
    model = net.model()
    result = run_passes(model, [FuseAffine()])
    check_interface(model, result.model)
    check_hygiene(model, result)
    check_second_run(result.model)
    left = [site for site in result.sites if not site.applied]
    assert all(site.reason.startswith("kept '") and ": " in site.reason for site in left)
    run_passes(model, default_passes())
