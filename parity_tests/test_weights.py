"""The probabilities that `attention_weights` gives: those of the definition, in both twins."""

import numpy as np
import pytest
import torch

import numpy_ref
import numpy_ref.kernels
import numpy_ref.ops
import torch_impl
import torch_impl.ops

from . import budget
from .both import array
from .cases import CASES
from .run import build, inputs_of, state_of

MODULES = [case for case in CASES if case.kind == "attention"]
OPS = [case for case in CASES if (case.kind, case.name) == ("op", "attention")]
TERMS = ("table", "index", "bias", "mask")


@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.id)
def test_weights_of_both_twins(case):
    inputs, state = inputs_of(case, "float64"), state_of(case, "float64")
    ours = build(numpy_ref, case, np.float64).eval()
    ours.load_state_dict(state)
    kernels = ours.attention_weights(**inputs)
    with numpy_ref.use_ops("numpy"):
        truth = ours.attention_weights(**inputs)
    theirs = build(torch_impl, case, torch.float64).eval()
    theirs.load_state_dict({name: torch.tensor(a) for name, a in state.items()})
    given = {name: torch.tensor(a) for name, a in inputs.items()}
    for weights in (kernels, array(theirs.attention_weights(**given))):
        assert budget.float64("weights", truth, weights).ok


@pytest.mark.parametrize("case", OPS, ids=lambda case: case.id)
def test_weights_are_what_attention_multiplies_the_values_with(case):
    """With the unit matrix as values attention's result is P itself."""
    inputs = inputs_of(case, "float64")
    q, k = inputs["q"], inputs["k"]
    terms = {name: inputs.get(name) for name in TERMS} | {"scale": case.options.get("scale")}
    keys = k.shape[2]
    v = np.broadcast_to(np.eye(keys), (*k.shape[:2], keys, keys)).copy()
    truth, _ = numpy_ref.ops.attention_forward(q, k, v, **terms)
    tensors = {n: torch.tensor(a) if isinstance(a, np.ndarray) else a for n, a in terms.items()}
    found = [
        numpy_ref.ops.attention_weights(q, k, **terms),
        numpy_ref.kernels.attention_weights(q, k, **terms),
        array(torch_impl.ops.attention_weights(torch.tensor(q), torch.tensor(k), **tensors)),
    ]
    for weights in found:
        assert budget.float64("weights", truth, weights).ok
