"""torch.compile makes one graph of every scheme and model, for open sizes too, with the same results."""

import copy

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

import torch_impl

from . import budget
from .cases import CASES
from .inductor import needs_inductor
from .run import MODULES as KINDS
from .run import build, given_of, has_grad

MODULES = [case for case in CASES if case.kind in KINDS]
FIRST = list({(case.kind, case.name): case for case in reversed(MODULES)}.values())[::-1]
SCHEMES, ATTENTIONS = ([c for c in FIRST if c.kind == kind] for kind in ("scheme", "attention"))
MODELS = [
    next(case for case in MODULES if case.kind == kind) for kind in ("block", "vit", "swin_block")
] + [case for case in FIRST if case.kind == "swin"]
DROPS = [c for c in MODULES if c.id in ("attention-shaw-drop", "swin_block-v2-padded_drop")]


def ids(cases):
    return {"argvalues": cases, "ids": [case.id for case in cases]}


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield


def made(case):
    """Return the module with the case's weights in float64, and {name: tensor} of its inputs."""
    given = given_of(case, "float64")
    module = build(torch_impl, case, torch.float64)
    module.load_state_dict({name: torch.tensor(a) for name, a in given.state.items()})
    inputs = {name: torch.tensor(a) for name, a in given.inputs.items()}
    for name, x in inputs.items():
        x.requires_grad_(has_grad(case, name))
    return module, inputs


def results(case, module, inputs, call=None):
    """Return {name: tensor}: the outputs, then the gradients of inputs and parameters."""
    out = (module if call is None else call)(**inputs, **case.call)
    outs = out if isinstance(out, list) else [out]
    named = {f"out.{n}": out for n, out in enumerate(outs)}
    if any(out.requires_grad for out in outs):
        torch.autograd.backward(
            outs, [torch.cos(torch.arange(o.numel())).reshape(o.shape).to(o) for o in outs]
        )
    leaves = inputs | dict(module.named_parameters())
    return named | {f"d{name}": x.grad for name, x in leaves.items() if x.grad is not None}


def assert_same(expected, found):
    assert expected.keys() == found.keys()
    for name, x in expected.items():
        assert budget.float64(name, x.detach(), found[name].detach()).ok, name


def compiled(module, backend="eager", **options):
    """Return the compiled module and the counter of its graphs."""
    counter = CompileCounterWithBackend(backend)
    return torch.compile(module, backend=counter, fullgraph=True, **options), counter


@pytest.mark.parametrize("case", **ids(SCHEMES + MODELS + DROPS))
def test_it_is_one_graph_and_computes_the_same(case):
    """Forward and backward; where something is dropped, the same is."""
    expected = results(case, *made(case))
    module, inputs = made(case)
    call, counter = compiled(module, "aot_eager")
    assert_same(expected, results(case, module, inputs, call))
    assert counter.frame_count == 1


@pytest.mark.parametrize("case", **ids(ATTENTIONS + MODELS))
def test_an_open_batch_is_compiled_once(case):
    module, inputs = made(case)
    name, x = next(iter(inputs.items()))
    others = {n: other for n, other in inputs.items() if n != name}
    module.eval()
    call, counter = compiled(module)
    for batch in (x, torch.cat([x, -x, 2 * x])):
        batch = batch.detach()
        torch._dynamo.mark_dynamic(batch, 0)
        with torch.no_grad():
            assert_same({"out": module(batch, **others)}, {"out": call(batch, **others)})
    assert counter.frame_count == 1


ANY_LENGTH = [
    case
    for case in ATTENTIONS
    if (scheme := build(torch_impl, case, torch.float64).rel_pos) is not None and scheme.window_ndim == 1
]
IRPE = {"bias_type": "irpe_bias", "method": "cross"}
ANY_SUM = {"bias_type": "sum", "parts": ({"bias_type": "alibi"}, {"bias_type": "t5"})}


@pytest.mark.parametrize("case", **ids(ANY_LENGTH))
def test_an_open_length_is_compiled_once(case):
    module, inputs = made(case)
    module.eval()
    longest = module.rel_pos.window_size[0] if case.name == "1d" else 20
    call, counter = compiled(module)
    for length in (3, longest // 2, longest):
        x = torch.randn(
            2, module.rel_pos.num_prefix_tokens + length, module.embed_dim, dtype=torch.float64
        )
        torch._dynamo.mark_dynamic(x, 1)
        with torch.no_grad():
            assert_same({"out": module(x)}, {"out": call(x)})
    assert counter.frame_count == 1
    assert inputs


@pytest.mark.parametrize("options", [IRPE, ANY_SUM], ids=["irpe_bias", "sum"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_joint_rows_for_other_sizes_are_not_looked_for_in_a_graph(options, dynamic):
    """How many combinations of rows occur is in the data; the bias is the same without knowing."""
    scheme = torch_impl.RelativePositionBias(3, (4, 4), dtype="float64", init_std=1.0, **options)
    call, _ = compiled(scheme, "aot_eager", dynamic=dynamic)
    size = (2, 5) if options is IRPE else 10
    expected, found = scheme(size, size), call(size, size)
    assert_same({"out": expected}, {"out": found})
    dbias = torch.randn_like(found)
    ours = torch.autograd.grad(expected, list(scheme.parameters()), dbias)
    assert_same(
        dict(enumerate(ours)),
        dict(enumerate(torch.autograd.grad(found, list(scheme.parameters()), dbias))),
    )


@pytest.mark.parametrize("version", [1, 2])
def test_swin_takes_images_of_other_sizes(version):
    """Compiled once for all sizes that need the same windows."""
    model = torch_impl.SwinTransformer(
        version, 16, 2, 1, 5, 8, (2,), (2,), window_size=3, strict_img_size=False, dtype="float64"
    ).eval()
    call, counter = compiled(model)
    for height, width in ((22, 28), (28, 40), (34, 22)):
        images = torch.randn(2, 1, height, width, dtype=torch.float64)
        for axis in (2, 3):
            torch._dynamo.mark_dynamic(images, axis)
        with torch.no_grad():
            assert_same({"out": model(images)}, {"out": call(images)})
    assert counter.frame_count == 1


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_compiled_dropout_draws_what_eager_mode_draws(kind):
    """For several steps, and the generators stay together; a copy of a model has its own."""
    generator = np.random.default_rng(3) if kind == "numpy" else torch.Generator().manual_seed(3)
    model = torch_impl.VisionTransformer(
        8, 4, embed_dim=12, depth=2, num_heads=3, drop_rate=0.3, attn_drop_rate=0.2, drop_path_rate=0.4,
        dtype="float64", generator=generator,
    )  # fmt: skip
    twin = copy.deepcopy(model)
    assert twin.generator is twin.pos_drop.generator is twin.blocks[0].drop_path1.generator
    assert twin.generator is not model.generator
    call, counter = compiled(twin, "aot_eager")
    images, drawn = torch.randn(4, 1, 8, 8, dtype=torch.float64), []
    for _ in range(3):
        expected, found = model(images), call(images)
        assert_same({"out": expected}, {"out": found})
        drawn.append(expected)
    assert not torch.equal(drawn[0], drawn[1])
    assert counter.frame_count == 1
    states = [torch_impl.random.generator_state(each.generator) for each in (model, twin)]
    assert states[0] == states[1]


def test_what_is_compiled_keeps_its_implementation():
    module, inputs = made(ATTENTIONS[0])
    call, counter = compiled(module)
    with torch_impl.use_ops("sdpa"):
        first = call(**inputs)
    assert torch.equal(first, call(**inputs))
    assert "scaled_dot_product_attention" in str(counter.graphs[0].graph)


FOR_INDUCTOR = [c for c in MODULES if c.id in ("vit-2d-class_token", "swin_block-v1-shifted")]


@needs_inductor
@pytest.mark.slow
@pytest.mark.parametrize("case", **ids(FOR_INDUCTOR))
def test_inductor_computes_the_same(case):
    expected = results(case, *made(case))
    module, inputs = made(case)
    assert_same(expected, results(case, module, inputs, torch.compile(module, fullgraph=True)))
