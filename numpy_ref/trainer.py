"""One training step, evaluation, and the state of both, in and out as NumPy arrays."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from .checks import (
    as_int,
    as_number,
    check_arrays,
    check_batch,
    check_bool,
    check_choice,
    check_images,
    check_state,
    check_training_batch,
)
from .dispatch import F
from .ema import ModelEma, as_ema_decay
from .module import Module
from .optim import (
    AdamW,
    as_betas,
    as_max_norm,
    as_schedule,
    clip_grad_norm,
    learning_rate,
    parameter_groups,
)
from .random import check_generator_state, set_generator_state
from .swin import SwinTransformer
from .types import Array
from .vit import VisionTransformer


class StepResult(NamedTuple):
    """What `Trainer.train_step` did; grad_norm is ‖g‖ before clipping."""

    loss: float
    correct: int
    lr: float
    grad_norm: float


class EvalResult(NamedTuple):
    """The mean loss, the number of correct answers and the predicted class of each image."""

    loss: float
    correct: int
    predicted: Array


class Trainer:
    """Train a model with AdamW, warm-up, cosine schedule and clipping by the global norm.

    model: a VisionTransformer or a SwinTransformer that has classes.
    lr, total_steps, warmup_steps, min_lr: as in `learning_rate`.
    weight_decay, table_lr_factor: as in `parameter_groups`.
    betas: of AdamW.
    clip_norm: the largest norm of the gradient, None for no clipping.
    label_smoothing: of the training loss, in [0, 1].
    device: "cpu" or "auto", which is the same in this twin.
    accumulate: micro-batches per step. Their gradients are summed before clipping, so the step is that
        of the whole batch; only dropout is drawn for each micro-batch in turn.
    ema_decay: of the average of the weights (see `ModelEma`), which evaluation then uses; None for none.
    precision, attention, compile: of the PyTorch twin; here "fp32", which computes in the model's dtype,
        None and False.
    Raises TypeError/ValueError naming the argument that does not fit, before the model is touched.
    """

    def __init__(
        self,
        model: VisionTransformer | SwinTransformer,
        lr: float,
        total_steps: int,
        warmup_steps: int = 0,
        min_lr: float = 0.0,
        weight_decay: float = 0.05,
        table_lr_factor: float = 20.0,
        betas: Sequence[float] = (0.9, 0.999),
        clip_norm: float | None = 1.0,
        label_smoothing: float = 0.0,
        device: str = "auto",
        accumulate: int = 1,
        ema_decay: float | None = None,
        precision: str = "fp32",
        attention: str | None = None,
        compile: bool = False,
    ):
        if not isinstance(model, Module):
            raise TypeError(f"model is a {type(model).__name__}, expected a Module")
        if not isinstance(device, str):
            raise TypeError(f"device is {device!r}, expected 'auto' or 'cpu'")
        if device not in ("auto", "cpu"):
            raise ValueError(f"device is {device!r}, but the NumPy twin runs on the cpu only")
        self.device = "cpu"
        self.total_steps, self.lr, self.warmup_steps, self.min_lr = as_schedule(
            total_steps, lr, warmup_steps, min_lr
        )
        self.clip_norm = as_max_norm("clip_norm", clip_norm)
        self.label_smoothing = as_number("label_smoothing", label_smoothing, "[0, 1]")
        self.accumulate = as_int("accumulate", accumulate, 1)
        betas, ema_decay = as_betas(betas), as_ema_decay(ema_decay)
        _check_others(precision, attention, compile)
        groups = parameter_groups(model.named_parameters(), weight_decay, table_lr_factor)
        self.model = model
        self._num_classes = as_int("model.num_classes", model.num_classes, 1)
        self.optimizer = AdamW(groups, betas)
        self.ema = None if ema_decay is None else ModelEma(model.named_parameters(), ema_decay)

    @property
    def steps(self) -> int:
        """The number of steps so far."""
        return self.optimizer.steps

    def train_step(self, images: Array, labels: Array) -> StepResult:
        """Do one step: forward, backward, clip, update.

        images: (B, C, H, W); labels: integers (B,), or floats (B, num_classes), the share of each class.
        Raises FloatingPointError if the loss or the gradient's norm is not finite; TypeError/ValueError
        for labels that are no integers or do not match the images.
        """
        check_training_batch(images, labels, self._num_classes)
        self.model.train()
        self.optimizer.zero_grad()
        loss, correct = self._backward(images, labels)
        norm = clip_grad_norm(self.optimizer.flat_parameters(), self.clip_norm)
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient's norm is {norm} at step {self.steps}")
        lr = learning_rate(self.steps, self.total_steps, self.lr, self.warmup_steps, self.min_lr)
        self.optimizer.step(lr)
        if self.ema is not None:
            self.ema.update()
        return StepResult(loss, correct, lr, norm)

    def _backward(self, images: Array, labels: Array) -> tuple[float, int]:
        """Compute the gradient in micro-batches; return loss and correct answers of the whole batch."""
        loss, correct, size = 0.0, 0, -(-len(labels) // self.accumulate)
        for start in range(0, len(labels), size):
            part = slice(start, start + size)
            logits = self.model(images[part].astype(self.model.dtype, copy=False))
            share = len(logits) / len(labels)
            mean, dlogits = self._loss(logits, labels[part], share)
            if not math.isfinite(mean):
                raise FloatingPointError(
                    f"the loss is {mean} at step {self.steps}; try a smaller learning rate"
                )
            self.model.backward(dlogits)
            loss += float(mean) * share
            classes = labels[part] if labels.ndim == 1 else labels[part].argmax(-1)
            correct += int((logits.argmax(-1) == classes).sum())
        return loss, correct

    def _loss(self, logits: Array, labels: Array, share: float) -> tuple[np.floating, Array]:
        """Return the mean loss and `share` times its gradient."""
        if labels.ndim == 1:
            loss, cache = F.cross_entropy_forward(logits, labels, self.label_smoothing)
            return loss, F.cross_entropy_backward(share, cache)
        targets = labels.astype(logits.dtype, copy=False)
        loss, cache = F.soft_cross_entropy_forward(logits, targets, self.label_smoothing)
        return loss, F.soft_cross_entropy_backward(share, cache)

    def predict(self, images: Array, batch_size: int = 256) -> Array:
        """Return the logits (N, num_classes) in evaluation mode, for `batch_size` images at a time."""
        check_images(images)
        batch_size = as_int("batch_size", batch_size, 1)
        images = images.astype(self.model.dtype, copy=False)
        starts = range(0, len(images), batch_size)
        with self._evaluating():
            return np.concatenate([self.model(images[s : s + batch_size]) for s in starts])

    def evaluate(self, images: Array, labels: Array) -> EvalResult:
        """Return the mean cross-entropy, unsmoothed, the number of correct answers and the classes."""
        check_batch(images, labels, self._num_classes)
        logits = self.predict(images)
        loss, _ = F.cross_entropy_forward(logits, labels)
        predicted = logits.argmax(-1)
        return EvalResult(float(loss), int((predicted == labels).sum()), predicted)

    def attention_maps(self, images: Array) -> list[Array]:
        """Return the attention probabilities of each block in evaluation mode.

        A list of (B, H, L, L), or of (B·nW, H, L, L) for a model with windows.
        """
        check_images(images)
        with self._evaluating():
            return self.model.attention_maps(images.astype(self.model.dtype, copy=False))

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return ({name: array} of all that trains, {"step", "generator"} for JSON).

        Names begin with "model.", "optimizer." and, with an average, "ema.".
        """
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        parts |= {"ema": self.ema.state_dict() if self.ema else {}}
        arrays = {f"{top}.{name}": a for top, named in parts.items() for name, a in named.items()}
        return arrays, {"step": self.steps, "generator": self.model.generator.bit_generator.state}

    def load_state_dict(self, arrays: Mapping[str, Array], progress: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` of either twin returned.

        Raises TypeError/ValueError, changing nothing, if it does not fit.
        """
        check_arrays(arrays)
        part = {
            top: {k.removeprefix(top): v for k, v in arrays.items() if k.startswith(top)}
            for top in ("model.", "optimizer.", "ema.")
        }
        expected = {name: p.shape for name, p in self.model.named_parameters()}
        check_state(expected, part["model."])
        if unexpected := arrays.keys() - {top + k for top, named in part.items() for k in named}:
            raise ValueError(f"state does not fit: unexpected {sorted(unexpected)}")
        check_state(expected if self.ema else {}, part["ema."], "ema.")
        if not isinstance(progress, Mapping):
            raise TypeError(f"progress is a {type(progress).__name__}, expected a dict")
        if missing := {"step", "generator"} - progress.keys():
            raise ValueError(f"progress lacks {', '.join(sorted(missing))}")
        step = as_int('progress["step"]', progress["step"], 0)
        check_generator_state(self.model.generator, progress["generator"])
        self.optimizer.load_state_dict(part["optimizer."], step)  # the last that can be refused
        self.model.load_state_dict(part["model."])
        if self.ema is not None:
            self.ema.load_state_dict(part["ema."], step)
        set_generator_state(self.model.generator, progress["generator"])

    def _evaluating(self) -> AbstractContextManager[None]:
        """Return the context of an evaluation: dropout off, the average as the weights."""
        self.model.eval()
        return nullcontext() if self.ema is None else self.ema.in_place()


def _check_others(precision: Any, attention: Any, compile: Any) -> None:
    """Check the options of the PyTorch twin, which have one value here; raises TypeError/ValueError."""
    if not isinstance(precision, str):
        raise TypeError(f"precision is {precision!r}, expected one of fp32, bf16, fp16")
    check_choice("precision", precision, ("fp32", "bf16", "fp16"))
    check_bool(compile=compile)
    if attention is not None and not isinstance(attention, str):
        raise TypeError(f"attention is {attention!r}, expected the name of an implementation or None")
    for name, value, only in (
        ("precision", precision, "fp32"),
        ("attention", attention, None),
        ("compile", compile, False),
    ):
        if value != only:
            raise ValueError(f"{name} is {value!r}, but the NumPy twin has only {only!r}")
