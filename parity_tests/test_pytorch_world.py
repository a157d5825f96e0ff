"""The PyTorch twin under PyTorch's own tools: transforms, autocast, checkpointing, copies, wrappers."""

import copy
import io
import pickle
from functools import partial

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.func import functional_call, grad, vmap
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import torch_impl
from torch_impl.nn import Dropout
from torch_impl.random import generator_state
from torch_impl.recompute import same_draws

from . import budget
from .both import fill
from .cases import CASES
from .run import build
from .test_compile import ATTENTIONS, MODELS, SCHEMES, ids, made, results

SWIN = {"img_size": 12, "patch_size": 2, "in_chans": 1, "embed_dim": 8, "depths": (2,)}
SWIN |= {"num_heads": (2,), "window_size": 3, "num_classes": 5, "drop_path_rate": 0.0}
VIT = {"img_size": 8, "embed_dim": 12, "depth": 2, "num_heads": 3}


def drawn():
    return {"generator": np.random.default_rng(0)}


def filled(model):
    """Return the model with random weights: a fresh Swin V2 is the identity, whatever its blocks do."""
    return fill(torch_impl, model)[0]


MAKERS = {
    "vit": lambda **options: filled(torch_impl.VisionTransformer(**VIT | drawn() | options)),
    "swin": lambda **options: filled(torch_impl.SwinTransformer(**SWIN | drawn() | options)),
    "swin_v2": lambda **options: filled(
        torch_impl.SwinTransformer(version=2, **SWIN | drawn() | options)
    ),
}
EACH = pytest.mark.parametrize("name", MAKERS)


def images_for(model, count=3):
    size = model.patch_embed.img_size
    return torch.randn(count, 1, *size, dtype=model.dtype, generator=torch.Generator().manual_seed(0))


def outputs(out):
    return out if isinstance(out, list) else [out]


def gradients(model, out):
    grads = torch.autograd.grad(out.square().sum(), list(model.parameters()))
    return dict(zip(dict(model.named_parameters()), grads, strict=True))


def assert_close(expected, found):
    assert expected.keys() == found.keys()
    for name, x in expected.items():
        assert budget.float64(name, x.detach(), found[name].detach()).ok, name


class NoSync(TorchDispatchMode):
    """Refuse what would make a GPU's queue wait: a number read from a tensor."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert "_local_scalar_dense" not in str(func), "a number is read from a tensor"
        assert "nonzero" not in str(func), "a shape depends on data"
        return func(*args, **kwargs or {})


def synced_cases():
    """Every case of a module but one whose index is a list, which a caller converts at each call."""
    kinds = ("scheme", "attention", "block", "vit", "swin_block", "swin")
    return [case for case in CASES if case.kind in kinds and case.id != "scheme-custom-samples"]


@pytest.mark.parametrize("case", **ids(synced_cases()))
def test_a_step_reads_no_number_from_a_tensor(case):
    module, inputs = made(case)
    joint = module.bias_type if case.kind == "scheme" else ""
    if case.call and joint in ("sum", "irpe", "irpe_bias"):
        results(case, *made(case))  # rows for other sizes are found at the first call, then remembered
        results(case, module, inputs)
    with NoSync():
        results(case, module, inputs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("case", **ids(SCHEMES + ATTENTIONS + MODELS))
def test_a_step_does_not_wait_for_cuda(case):
    module, inputs = made(case)
    module.eval()  # a NumPy generator's dropout is drawn on the CPU
    module.cuda()
    inputs = {n: x.detach().cuda().requires_grad_(x.requires_grad) for n, x in inputs.items()}
    results(case, module, inputs)
    torch.cuda.set_sync_debug_mode("error")
    try:
        results(case, module, inputs)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@EACH
def test_per_sample_gradients(name):
    """vmap over the batch of the gradient of a functional call; then the module works as before."""
    model = MAKERS[name](dtype="float64").eval()
    images = images_for(model)
    before = model(images)

    def loss(parameters, image):
        return functional_call(model, parameters, (image[None],)).square().sum()

    each = vmap(grad(loss), (None, 0))(dict(model.named_parameters()), images)
    assert_close(gradients(model, before), {n: g.sum(0) for n, g in each.items()})
    assert torch.equal(model(images), before)


@pytest.mark.parametrize("case", **ids([case for case in ATTENTIONS if len(case.inputs) == 1]))
def test_vmap_over_the_batch(case):
    module, inputs = made(case)
    module.eval()
    x = inputs["x"].detach()
    assert_close({"out": module(x)}, {"out": vmap(lambda sample: module(sample[None])[0])(x)})


@EACH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast(name, dtype):
    """Forward in half precision, gradients in float32 and finite; with a GradScaler for float16."""
    model = MAKERS[name]()
    images = images_for(model)
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16)
    optimizer = torch.optim.AdamW(torch_impl.parameter_groups(model.named_parameters(), 0.1, 2.0, 1e-3))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for _ in range(20):  # the scaler skips steps until its scale is small enough
        with torch.autocast("cpu", dtype):
            out = model(images)
        assert out.dtype == dtype
        optimizer.zero_grad()
        scaler.scale(out.float().square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
    for name, p in model.named_parameters():
        assert p.grad.dtype == torch.float32, name
        assert p.isfinite().all(), name
        assert (p != before[name]).any() or not p.grad.any(), name
    full = model.eval()(images)
    with torch.autocast("cpu", dtype):
        assert (model(images) - full).abs().max() <= 0.1 * full.abs().max().clamp(min=1)


@EACH
@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing(name, reentrant):
    model = MAKERS[name](dtype="float64")
    images = images_for(model).requires_grad_()
    expected = gradients(model, model(images))
    for block in [m for m in model.modules() if isinstance(m, torch_impl.Block)]:
        forward = block.forward
        block.forward = lambda *args, forward=forward: checkpoint(
            forward, *args, use_reentrant=reentrant
        )
    model(images).square().sum().backward()
    assert_close(expected, {n: p.grad for n, p in model.named_parameters()})


DROPS = {"drop_rate": 0.3, "attn_drop_rate": 0.2, "drop_path_rate": 0.3}


@EACH
@pytest.mark.parametrize("source", ["numpy", "torch"])
def test_activation_checkpointing_with_dropout(name, source):
    """The recomputation draws what the forward pass drew, and the generator ends where it would."""

    def trained(recompute):
        generator = np.random.default_rng(3)
        model = MAKERS[name](dtype="float64", **DROPS | {"generator": generator})
        draws = generator if source == "numpy" else torch.Generator().manual_seed(5)
        for module in model.modules():
            if isinstance(module, Dropout):
                module.generator = draws
        for block in [m for m in model.modules() if isinstance(m, torch_impl.Block)] * recompute:
            again = partial(
                checkpoint, block.forward, use_reentrant=False, context_fn=partial(same_draws, draws)
            )
            block.forward = again
        return gradients(model, model(images_for(model))), generator_state(draws)

    (expected, end), (found, found_end) = trained(recompute=False), trained(recompute=True)
    assert_close(expected, found)
    assert found_end == end


@EACH
def test_copies_and_pickles(name):
    model = MAKERS[name](dtype="float64")
    images = images_for(model)
    expected = model(images)
    saved = io.BytesIO()
    torch.save(model, saved)
    saved.seek(0)
    for other in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(saved, weights_only=False),
    ):
        assert torch.equal(other(images), expected)
        assert not {p.data_ptr() for p in other.parameters()} & {
            p.data_ptr() for p in model.parameters()
        }


@pytest.mark.parametrize("case", **ids(ATTENTIONS + MODELS))
def test_from_the_meta_device(case):
    """Built without memory, then given memory and weights: what is no part of the state is there too."""
    module, inputs = made(case)
    with torch.device("meta"):
        bare = build(torch_impl, case, torch.float64)
    tensors = [*bare.parameters(), *bare.buffers()]
    assert all(x.is_meta for x in tensors)
    bare.to_empty(device="cpu").load_state_dict(module.state_dict())
    again = build(torch_impl, case, torch.float64).to("meta").to_empty(device="cpu")
    again.load_state_dict(module.state_dict())
    expected = module.eval()(**inputs, **case.call)
    for other in (bare, again):
        found = other.eval()(**inputs, **case.call)
        assert_close(dict(enumerate(outputs(expected))), dict(enumerate(outputs(found))))


@pytest.mark.parametrize("case", **ids(ATTENTIONS))
def test_half_is_the_rounded_module(case):
    """`.half()` rounds the parameters, and leaves the geometry as it is."""
    module, inputs = made(case)
    geometry = {name: b.clone() for name, b in module.named_buffers()}
    module.half()
    assert {p.dtype for p in module.parameters()} <= {torch.float16}
    for name, buffer in module.named_buffers():
        assert buffer.dtype in (torch.int64, torch.float64), name
        assert torch.equal(buffer, geometry[name]), name
    x = inputs["x"].detach().half()
    rest = {n: a.detach().half() for n, a in inputs.items() if n != "x"}
    half = module.eval()(x, **rest)
    wide = module.double()(x.double(), **{n: a.double() for n, a in rest.items()})
    assert (half - wide).abs().max() <= 0.05 * wide.abs().max()


@pytest.fixture
def process_group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@EACH
def test_ddp_and_fsdp_wrap_it(name, process_group):
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    model = MAKERS[name](dtype="float64")
    images = images_for(model)
    expected = gradients(model, model(images))
    wrapped = DistributedDataParallel(copy.deepcopy(model))
    wrapped(images).square().sum().backward()
    assert_close(expected, {n: p.grad for n, p in wrapped.module.named_parameters()})
    for block in [m for m in model.modules() if isinstance(m, torch_impl.Block)]:
        fully_shard(block)
    fully_shard(model)
    model(images).square().sum().backward()
    assert_close(expected, {n: p.grad.full_tensor() for n, p in model.named_parameters()})


def test_a_generator_of_another_device_is_named():
    layer = torch_impl.nn.Dropout(0.5, torch.Generator())
    with pytest.raises(ValueError, match="on cpu, but the input is on meta"):
        layer(torch.ones(2, device="meta"))
