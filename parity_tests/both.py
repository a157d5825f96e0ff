"""Helpers for tests that run with either twin: filled schemes, conversion of arrays."""

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

TWINS = pytest.mark.parametrize("twin", [numpy_ref, torch_impl], ids=["numpy", "torch"])


def filled(twin, *args, **options):
    """Return (scheme, state), with all parameters drawn from a fixed seed, in float64."""
    return fill(twin, twin.RelativePositionBias(*args, dtype=float64(twin), **options))


def fill(twin, module):
    """Draw every parameter from a fixed seed; return (module, state {name: array})."""
    rng = np.random.default_rng(0)
    state = {name: rng.standard_normal(tuple(a.shape)) for name, a in module.state_dict().items()}
    module.load_state_dict({name: tensor(twin, np.asarray(a)) for name, a in state.items()})
    return module, state


def float64(twin):
    return np.float64 if twin is numpy_ref else torch.float64


def tensor(twin, a):
    return a if twin is numpy_ref else torch.from_numpy(a)


def array(x):
    return x if isinstance(x, np.ndarray) else x.detach().numpy()


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)
