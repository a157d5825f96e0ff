"""What training a config would cost on GPUs, calculated: python -m benchmarks.cost CONFIG.

Counted are the operations of the matrix products and the bytes that every operator reads and writes, in
one step of the PyTorch twin in eager mode. The time of a step is taken as that of the products plus that
of the bytes, each at an assumed share of what the GPU's data sheet says. Nothing is measured.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from experiments.build import build_trainer, steps_per_epoch
from experiments.config import load_config
from experiments.data.summary import Summary

PRODUCTS, MEMORY = 0.4, 0.6  # assumed: the shares of a GPU's figures that a step reaches


@dataclass(frozen=True)
class Gpu:
    """The data sheet's dense bf16 operations and bytes of memory traffic per second."""

    name: str
    flops: float
    bandwidth: float


GPUS = [
    Gpu("A100 80 GB SXM", 312e12, 2.04e12),
    Gpu("H100 SXM", 989e12, 3.35e12),
    Gpu("H200 SXM", 989e12, 4.8e12),
]


@dataclass(frozen=True)
class Count:
    """Of one image: operations of forward, of a step, and bytes that a float32 step moves."""

    forward: int
    step: int
    bytes: int


class Traffic(TorchDispatchMode):
    """Counts the bytes of all tensors that each operator reads and writes; views move none."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            leaves = tree_leaves((args, kwargs, out))
            tensors = {x.data_ptr(): x.nbytes for x in leaves if isinstance(x, torch.Tensor)}
            self.bytes += sum(tensors.values())
        return out


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("config", help="YAML file of experiments.train")
    parser.add_argument(
        "--images", type=int, default=1_281_167, help="images of an epoch: ImageNet-1k's"
    )
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--gpus", type=int, default=8)
    options = parser.parse_args(argv)
    config = load_config(options.config)
    summary = summary_of(config, options.images, options.classes)
    model = build_trainer("torch", config, summary).model
    steps = steps_per_epoch(config, summary) * config.training.epochs
    for line in report(count(model, summary.image_shape), config, options.images, options.gpus, steps):
        print(line)


def summary_of(config, images, classes):
    """Return a Summary of RGB images that nobody has, of the config's size."""
    size = config.data.image_size
    shape = (3, size, size) if isinstance(size, int) else (3, *size)
    names, counts = tuple(map(str, range(classes))), {"train": images, "val": 1, "test": 1}
    return Summary("folder", names, shape, np.zeros(3), np.ones(3), counts)


def count(model, image_shape):
    """Return the Count of a model; weights, which are read once for a whole batch, are left out."""
    model = model.cpu().train()
    forward, step, moved = FlopCounterMode(display=False), FlopCounterMode(display=False), []
    with forward, torch.no_grad():
        model(torch.zeros(1, *image_shape))
    with step:
        model(torch.zeros(1, *image_shape)).sum().backward()
    for images in (1, 2):
        with Traffic() as traffic:
            model(torch.zeros(images, *image_shape)).sum().backward()
        moved.append(traffic.bytes)
    return Count(forward.get_total_flops(), step.get_total_flops(), moved[1] - moved[0])


def report(counted, config, images, gpus, steps):
    """Yield the lines of the page; bf16 moves half the bytes of float32."""
    half = config.training.precision != "fp32"
    moved = counted.bytes / 2 if half else counted.bytes
    epochs = config.training.epochs
    yield f"calculated, not measured: {epochs} epochs of {images:,} images, {steps:,} steps"
    yield (
        f"per image: {counted.forward / 1e9:.2f} GFLOP forward, {counted.step / 1e9:.1f} GFLOP a step, "
        f"{moved / 1e9:.2f} GB moved ({config.training.precision})"
    )
    yield f"assumed: products reach {PRODUCTS:.0%} of the peak, memory {MEMORY:.0%} of the bandwidth"
    yield f"| GPU | ms per image | images/s of one | of {gpus} | hours | GPU-hours |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for gpu in GPUS:
        seconds = counted.step / (gpu.flops * PRODUCTS) + moved / (gpu.bandwidth * MEMORY)
        hours = epochs * images * seconds / gpus / 3600
        yield (
            f"| {gpu.name} | {seconds * 1e3:.2f} | {1 / seconds:,.0f} | {gpus / seconds:,.0f} | "
            f"{hours:.1f} | {hours * gpus:.0f} |"
        )


if __name__ == "__main__":
    main()
