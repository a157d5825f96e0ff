"""Under autocast a bias keeps its precision: what makes it is computed in float32 and rounded once."""

import pytest
import torch

import torch_impl
from torch_impl.ops import score_lookup, value_lookup

from .run import build, given_of
from .test_compile import MODULES, compiled, ids, results

# The linear layers of these are layers like any other, and multiply in autocast's dtype.
WITH_LAYERS = ("transformer_xl", "gated_t5")
KEPT = [case for case in MODULES if case.kind == "scheme" and case.name not in WITH_LAYERS]


def made(case):
    """Return the module in evaluation with the case's weights in float32, and {name: tensor}."""
    given = given_of(case, "float32")
    module = build(torch_impl, case, torch.float32).eval()
    module.load_state_dict({name: torch.tensor(a) for name, a in given.state.items()})
    inputs = {name: torch.tensor(a, dtype=torch.float32) for name, a in given.inputs.items()}
    return module, {name: x.requires_grad_() for name, x in inputs.items()}


def under_autocast(call):
    """Return a function that calls under autocast; as in training, backward is outside."""

    def forward(*args, **options):
        with torch.autocast("cpu", torch.bfloat16):
            return call(*args, **options)

    return forward


def assert_same_bits(expected, found):
    assert expected.keys() == found.keys()
    for name, x in expected.items():
        assert x.dtype == found[name].dtype, name
        assert torch.equal(x, found[name]), name


@pytest.mark.parametrize("case", **ids(KEPT))
def test_autocast_changes_no_bit_of_a_bias(case):
    """Nor of its gradients: the products of query and table, and the MLPs, stay in float32."""
    expected = results(case, *made(case))
    module, inputs = made(case)
    assert_same_bits(expected, results(case, module, inputs, under_autocast(module)))


def looked_up(lookup, x, embedding, index):
    """Return {name: tensor}: the result of the op in x's dtype, and the gradients."""
    x, embedding = (a.clone().requires_grad_() for a in (x, embedding))
    out = lookup(x, embedding, index)
    dout = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out.dtype)
    dx, dembedding = torch.autograd.grad(out, (x, embedding), dout)
    return {"out": out.detach(), "dx": dx, "dembedding": dembedding}


@pytest.mark.parametrize("lookup", [score_lookup, value_lookup], ids=lambda op: op.__name__)
def test_a_lookup_of_half_precision_is_that_of_float32_rounded_once(lookup):
    """As after a linear layer under autocast: x is bfloat16, the parameter float32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((2, 3, 5, 8), generator=generator).bfloat16()
    embedding = torch.randn((3, 9, 8), generator=generator)
    index = torch.randint(9, (5, 8), generator=generator)
    found = looked_up(under_autocast(lookup), x, embedding, index)
    expected = looked_up(lambda x, *rest: lookup(x.float(), *rest).bfloat16(), x, embedding, index)
    assert_same_bits(expected, found)


@pytest.mark.parametrize("name", ["shaw", "log_cpb"])
def test_compile_keeps_it_out_of_autocast_too(name):
    """One graph; AOTAutograd traces backward under the forward's autocast unless told otherwise."""
    case = next(case for case in KEPT if case.name == name)
    expected = results(case, *made(case))
    for backward in ("same_as_forward", "off"):
        module, inputs = made(case)
        call, counter = compiled(module, "aot_eager")
        with torch._functorch.config.patch(backward_pass_autocast=backward):
            found = results(case, module, inputs, under_autocast(call))
        assert counter.frame_count == 1
        assert torch.equal(found["out.0"], expected["out.0"])
        torch._dynamo.reset()
    assert_same_bits(expected, found)
