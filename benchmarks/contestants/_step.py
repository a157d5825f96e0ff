"""The training step that both twins' contestants take: the model, its data, what a step leaves."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.build import build_trainer
from experiments.config import load_config
from experiments.data import Dataset, Split

CONFIG = Path(__file__).parents[2] / "configs" / "fashion_mnist.yaml"
STEPS_PER_EPOCH = 800  # as Fashion-MNIST has, for the schedule
CLASSES = tuple(map(str, range(10)))


def trainer_of(backend, dtype, device="cpu"):
    """A fresh trainer of the config, from the same weights in either twin and dtype."""
    config, dataset = load_config(CONFIG), _dataset()
    config = replace(
        config,
        model=replace(config.model, dtype=dtype),
        training=replace(config.training, device=device),
    )
    trainer = build_trainer(backend, config, dataset.summary)
    if dtype == "float64":
        weights = trainer_of(backend, "float32").model.state_dict()
        trainer.model.load_state_dict({n: a.astype(dtype) for n, a in weights.items()})
    return trainer


def _dataset():
    """The shapes of Fashion-MNIST and none of its images: a step only needs a batch."""
    rows = np.broadcast_to(np.float32(0), (64 * STEPS_PER_EPOCH, 1, 28, 28))
    split = Split(rows, np.broadcast_to(np.int64(0), len(rows)))
    level = np.zeros(1, np.float32)
    return Dataset("fashion_mnist", CLASSES, split, split, split, level, level + 1)


def left_by(result, parameters, as_array):
    """Loss, the norm before clipping, gradients (clipped) and weights after the step."""
    named = {"loss": np.float64(result.loss), "norm": np.float64(result.grad_norm)}
    for name, parameter in parameters:
        data, grad = as_array(parameter)
        named |= {f"grad.{name}": grad, f"weight.{name}": data}
    return named
