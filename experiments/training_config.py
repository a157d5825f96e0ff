"""The training section of the configuration, and what its values may be."""

from dataclasses import dataclass
from typing import Literal


@dataclass
class TrainingConfig:
    """Optimisation.

    Args:
        epochs: passes over the training split.
        batch_size: images per step.
        lr: peak learning rate of AdamW.
        min_lr: where the cosine schedule ends.
        warmup_epochs: linear warm-up; fractions are fine; at least epochs means it never ends.
        weight_decay: decoupled decay of weight matrices; none on norms, biases and bias tables.
        table_lr_factor: learning rate of the position bias's tables, as a multiple of lr.
        beta1: decay of AdamW's mean of gradients.
        beta2: decay of AdamW's mean of squared gradients.
        clip_norm: largest global gradient norm; null switches clipping off.
        label_smoothing: share of the target spread over all classes.
        seed: of the weights, the data order, the augmentation and the dropout.
        device: "auto" takes CUDA where the PyTorch twin finds it; the NumPy twin runs on the CPU.
        accumulate: micro-batches in which a step of batch_size images is computed, to save memory.
        ema_decay: decay of a moving average of the weights, which evaluation, the best checkpoint and
            what is exported then use; null for none.
        precision: of a step in the PyTorch twin: fp32 (that of model.dtype), or bf16 or fp16 (autocast;
            fp16 with a scaled loss); weights and evaluation stay float32.
        attention: the implementation of attention in the PyTorch twin; null for its default, eager.
        compile: whether the PyTorch twin compiles the model for training steps.
        tensorboard: whether to write TensorBoard's event file beside metrics.jsonl.
        distributed: what several processes do that torchrun started: "ddp" (each has all weights) or
            "fsdp2" (each has a part of every weight and of the optimizer's state).
    """

    epochs: int = 40
    batch_size: int = 64
    lr: float = 2e-3
    min_lr: float = 0.0
    warmup_epochs: float = 2.0
    weight_decay: float = 0.05
    table_lr_factor: float = 20.0
    beta1: float = 0.9
    beta2: float = 0.999
    clip_norm: float | None = 1.0
    label_smoothing: float = 0.0
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    accumulate: int = 1
    ema_decay: float | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    attention: Literal["auto", "eager", "sdpa", "flex", "triton"] | None = None
    compile: bool = False
    tensorboard: bool = False
    distributed: Literal["ddp", "fsdp2"] = "ddp"


def check_training(training, dtype):
    """What a type cannot say of these options, whichever the twin; raises ValueError.

    dtype: of the model.
    """
    at_least("training.epochs", training.epochs, 1)
    at_least("training.batch_size", training.batch_size, 1)
    at_least("training.seed", training.seed, 0)
    at_least("training.accumulate", training.accumulate, 1)
    for name in ("min_lr", "warmup_epochs", "weight_decay", "table_lr_factor"):
        at_least(f"training.{name}", getattr(training, name), 0)
    if training.lr <= 0:
        raise ValueError(f"training.lr is {training.lr}, expected a positive number")
    if training.min_lr > training.lr:
        raise ValueError(f"training.min_lr is {training.min_lr}, expected at most lr {training.lr}")
    if training.clip_norm is not None and training.clip_norm <= 0:
        raise ValueError(f"training.clip_norm is {training.clip_norm}, expected positive or null")
    _check_step(training, dtype)
    for name in ("beta1", "beta2", "label_smoothing", "ema_decay"):
        value = getattr(training, name)
        if value is not None and not 0 <= value < 1:
            raise ValueError(f"training.{name} is {value}, expected a number in [0, 1)")


def _check_step(training, dtype):
    """Check what the options of a step allow together, whichever the twin."""
    if training.accumulate > training.batch_size:
        raise ValueError(
            f"training.accumulate is {training.accumulate}, expected at most batch_size "
            f"{training.batch_size}"
        )
    if training.precision != "fp32" and dtype != "float32":
        raise ValueError(
            f"training.precision is {training.precision}, but model.dtype is {dtype}: only float32 fits"
        )


def at_least(name, value, least):
    """Raise ValueError, which names the option, for a smaller value."""
    if not value >= least:
        raise ValueError(f"{name} is {value}, expected at least {least}")
