"""What only a GPU can show: steps that never wait for it, equal bits, training, memory over the length.

Each test also runs on the CPU, where it cannot fail for the GPU's reasons but shows that it runs.
"""

import os
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import torch_impl
from torch_impl.ops import Offsets, attention
from torch_impl.ops.attention import registry
from torch_impl.optim import AdamW, parameter_groups

from . import budget

CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.cuda,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device"),
    ],
)
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])
MODELS = {
    "vit": lambda **options: torch_impl.VisionTransformer(
        8, 2, embed_dim=24, depth=2, num_heads=3, **options
    ),
    "swin": lambda **options: torch_impl.SwinTransformer(
        img_size=8, patch_size=1, in_chans=1, num_classes=10, embed_dim=12, window_size=4,
        depths=(2, 2), num_heads=(2, 4), **options,
    ),
}  # fmt: skip
BOTH = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
BATCH, EPOCH_BATCH = 4, 64


DROPS = {"drop_rate": 0.1, "attn_drop_rate": 0.1, "drop_path_rate": 0.2}


def built(model, device, dtype=torch.float32, generator=None, **options):
    generator = np.random.default_rng(5) if generator is None else generator
    return model(dtype=dtype, generator=generator, **options).to(device).train()


def digits():
    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 1, 8, 8) / 16 - 0.3, labels


@contextmanager
def never_waiting(device):
    """Raise where the CPU waits for the GPU."""
    if device == "cpu":
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@DEVICES
@BOTH
def test_a_step_never_waits_for_the_gpu(model, device):
    """Forward, dropout drawn on the device, loss, backward and AdamW.

    The Trainer reads the loss besides, to stop if it is no number. The first step is not watched: it
    makes the optimizer's state, masks, and what PyTorch makes once.
    """
    net = built(model, device, generator=torch.Generator(device).manual_seed(5), **DROPS)
    optimizer = AdamW(parameter_groups(net.named_parameters(), 0.05, 20.0))
    images = torch.randn(BATCH, 1, 8, 8, device=device)
    labels = torch.randint(10, (BATCH,), device=device)

    def step():
        net.zero_grad()
        torch_impl.ops.cross_entropy(net(images), labels, 0.1).backward()
        optimizer.step(1e-3)

    before = [p.detach().clone() for p in net.parameters()]
    step()
    with never_waiting(device):
        step()
    assert not any(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


@DEVICES
@BOTH
def test_two_runs_have_equal_bits(model, device, monkeypatch):
    """With PyTorch's deterministic algorithms, which is all that its own kernels promise."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8"))
    torch.use_deterministic_algorithms(True)
    try:
        one, other = (trained(built(model, device), device, 2)[1] for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@DEVICES
@BOTH
def test_an_epoch_on_digits_agrees_with_the_cpu(model, device):
    steps = 2 if device == "cpu" else None
    losses, weights = trained(built(model, "cpu", torch.float64), "cpu", steps)
    theirs, other = trained(built(model, device, torch.float64), device, steps)
    assert budget.float64("loss", losses, theirs, budget.TRAINING_LOSS).ok
    for name, array in weights.items():
        row = budget.float64(name, array, other[name], budget.TRAINING_WEIGHTS)
        assert row.ok, row


def trained(net, device, steps=None):
    """Train for an epoch, or for some steps; return the losses and the state's {name: array}."""
    images, labels = digits()
    count = len(images) // EPOCH_BATCH
    trainer = torch_impl.Trainer(net, 3e-3, count, 2, device=device)
    images = images.astype(str(next(net.parameters()).dtype).removeprefix("torch."))
    losses = []
    for n in range(count if steps is None else steps):
        part = slice(n * EPOCH_BATCH, (n + 1) * EPOCH_BATCH)
        losses.append(trainer.train_step(images[part], labels[part]).loss)
    return losses, trainer.state_dict()[0]


def attended(length, device):
    """Return (a call of the triton implementation, forward and backward, its inputs)."""
    if "triton" not in registry.REGISTRY:
        pytest.skip("torch_impl has no implementation 'triton'")
    if device == "cpu":
        pytest.skip("on a CPU there is no allocator that counts, and triton runs in its interpreter")
    draw = {"device": device, "requires_grad": True}
    q, k, v = (torch.randn(1, 4, length, 64, **draw) for _ in range(3))
    table = torch.randn(2 * length - 1, 4, **draw)
    offsets = Offsets.of_grids((length,), (length,), torch.arange(len(table), device=device))
    dout = torch.randn(1, 4, length, 64, device=device)

    def run():
        out = attention(q, k, v, table, offsets=offsets, implementation="triton")
        return torch.autograd.grad(out, (q, k, v, table), dout)

    return run


@DEVICES
def test_the_fused_kernel_has_equal_bits_without_pytorchs_switch(device):
    """Its sums have an order of their own: no atomics."""
    run = attended(1024, device)
    for one, other in zip(run(), run(), strict=True):
        assert torch.equal(one, other)


@DEVICES
def test_the_fused_kernels_memory_grows_with_the_length(device):
    """An array of all pairs would make it four times as large; the half is room for small buffers."""
    shorter, longer = (peak(attended(length, device)) for length in (4096, 8192))
    assert longer < 2.5 * shorter


def peak(run):
    run()
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - held
