"""What both twins' training-step contestants share: the trainer, its data, the results of a step."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.build import build_trainer
from experiments.config import load_config
from experiments.data import Dataset, Split

CONFIG = Path(__file__).parents[2] / "configs" / "fashion_mnist.yaml"
STEPS_PER_EPOCH = 800  # as with Fashion-MNIST; the learning-rate schedule depends on it
CLASSES = tuple(map(str, range(10)))
LR, DECAY, SMOOTHING, CLIP = 1e-3, 0.05, 0.1, 1.0  # of a step of a Swin Transformer


def trainer_of(backend, dtype, device="cpu"):
    """Return a fresh trainer of the config; its weights are the same in both twins and dtypes."""
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
    """Return a Dataset with the shapes of Fashion-MNIST, all zeros: the step gets its own batch."""
    rows = np.broadcast_to(np.float32(0), (64 * STEPS_PER_EPOCH, 1, 28, 28))
    split = Split(rows, np.broadcast_to(np.int64(0), len(rows)))
    level = np.zeros(1, np.float32)
    return Dataset("fashion_mnist", CLASSES, split, split, split, level, level + 1)


class Stepped(NamedTuple):
    """What a step of a Swin Transformer returns; grad_norm is ‖g‖ before clipping."""

    loss: float
    grad_norm: float


def optimizer_of(twin, model):
    """Return the twin's AdamW for any library's model of the twin's framework."""
    return twin.optim.AdamW(twin.optim.parameter_groups(model.named_parameters(), DECAY, 1.0))


def left_by(result, parameters, as_array):
    """Return {name: array} of the loss, the norm before clipping, clipped gradients and new weights."""
    named = {"loss": np.float64(result.loss), "norm": np.float64(result.grad_norm)}
    for name, parameter in parameters:
        data, grad = as_array(parameter)
        named |= {f"grad.{name}": grad, f"weight.{name}": data}
    return named
