"""One training step, evaluation, and the state of both, in and out as NumPy arrays."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, NamedTuple, cast, get_args

import numpy as np
import torch
from torch import Tensor

from . import ops
from .checks import (
    as_array,
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
from .ema import ModelEma, as_ema_decay
from .optim import (
    AdamW,
    as_betas,
    as_max_norm,
    as_schedule,
    clip_grad_norm,
    learning_rate,
    parameter_groups,
)
from .precision import LossScaler, autocast, check_precision
from .processes import Processes
from .random import check_generator_state, generator_state, set_generator_state
from .sharding import like
from .swin import SwinTransformer
from .types import Implementation
from .vit import VisionTransformer


class StepResult(NamedTuple):
    """What `Trainer.train_step` did; grad_norm is ‖g‖ before clipping, not finite if fp16 overflowed."""

    loss: float
    correct: int
    lr: float
    grad_norm: float


class EvalResult(NamedTuple):
    """The mean loss, the number of correct answers and the predicted class of each image."""

    loss: float
    correct: int
    predicted: np.ndarray


class Trainer:
    """Train a model with AdamW, warm-up, cosine schedule and clipping by the global norm.

    model: a VisionTransformer or a SwinTransformer that has classes.
    lr, total_steps, warmup_steps, min_lr: as in `learning_rate`.
    weight_decay, table_lr_factor: as in `parameter_groups`.
    betas: of AdamW.
    clip_norm: the largest norm of the gradient, None for no clipping.
    label_smoothing: of the training loss, in [0, 1].
    device: "cpu", "cuda" or "auto" (CUDA if there is one).
    accumulate: micro-batches per step. Their gradients are summed before clipping, so the step is that
        of the whole batch; only dropout is drawn for each micro-batch in turn.
    ema_decay: of the average of the weights (see `ModelEma`), which evaluation then uses; None for none.
    precision: "fp32" computes in the model's dtype; "bf16" and "fp16" run forward and backward of a step
        under autocast, "fp16" with a scaled loss, and keep float32 parameters. Evaluation is as with
        "fp32".
    attention: as for `use_ops`; None leaves the choice to the caller's `use_ops`.
    compile: whether to compile the model for training steps; evaluation stays eager.
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
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"model is a {type(model).__name__}, expected a Module")
        if not isinstance(device, str):
            raise TypeError(f"device is {device!r}, expected 'auto', 'cpu' or 'cuda'")
        cuda = torch.cuda.is_available()
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device is {device!r}, expected auto, cpu or cuda")
        if device == "cuda" and not cuda:
            raise ValueError("device is 'cuda', but PyTorch sees no CUDA device")
        self.device = ("cuda" if cuda else "cpu") if device == "auto" else device
        self.total_steps, self.lr, self.warmup_steps, self.min_lr = as_schedule(
            total_steps, lr, warmup_steps, min_lr
        )
        self.clip_norm = as_max_norm("clip_norm", clip_norm)
        self.label_smoothing = as_number("label_smoothing", label_smoothing, "[0, 1]")
        self.accumulate = as_int("accumulate", accumulate, 1)
        betas = as_betas(betas)
        self._num_classes = as_int("model.num_classes", model.num_classes, 1)
        check_precision(precision, model.dtype)
        check_bool(compile=compile)
        self.precision = precision
        self.attention: Implementation | None = as_implementation(attention)
        decay = as_ema_decay(ema_decay, model.dtype)
        groups = parameter_groups(model.named_parameters(), weight_decay, table_lr_factor)
        self.model = model.to(self.device)
        self.optimizer = AdamW(groups, betas)
        self.scaler = LossScaler(precision, self.device)
        self.ema = None if decay is None else ModelEma(self.model.named_parameters(), decay)
        # What distributed training replaces; network: what a step calls in place of the model.
        self.processes = Processes()
        self.network: Callable[[Tensor], Tensor] | None = None
        if compile:  # a run has few sizes of micro-batches, so each gets a graph of its own
            self.network = torch.compile(self.model, dynamic=False)

    @property
    def steps(self) -> int:
        """The number of steps so far, also those that overflowed in fp16 and changed no weight."""
        return self.optimizer.steps + self.scaler.skipped

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> StepResult:
        """Do one step: forward, backward, clip, update.

        images: (B, C, H, W); labels: integers (B,), or floats (B, num_classes), the share of each class.
        Raises FloatingPointError if the loss or the gradient's norm is not finite; TypeError/ValueError
        for labels that are no integers or do not match the images. In fp16 a norm that is not finite
        skips the step, as long as a smaller scale of the loss can help.
        """
        check_training_batch(*self.processes.padded(images, labels), self._num_classes)
        self.model.train()
        self.model.zero_grad()
        loss, correct = self._backward(images, labels)
        step = self.steps
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}; try a smaller learning rate")
        lr = learning_rate(step, self.total_steps, self.lr, self.warmup_steps, self.min_lr)
        return StepResult(loss, correct, lr, self._update(lr))

    def _backward(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
        """Compute the gradient in micro-batches; return loss and correct answers of the whole batch."""
        counts = self.processes.counts(len(labels))
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        for part in self.processes.micro_batches(counts, self.accumulate):
            count = len(labels[part])
            some_images, some_labels = self.processes.padded(images[part], labels[part])
            targets = self._targets(some_labels)
            logits = self._logits(self._images(some_images))
            loss = self._loss(logits, targets) * (count / sum(counts))
            self.scaler.backward(loss)
            classes = targets if targets.dim() == 1 else targets.argmax(-1)
            correct = (logits.argmax(-1) == classes)[:count].sum()
            sums += torch.stack([loss.detach().double(), correct.double()])
        self.processes.reduce_sums(sums)
        self.processes.reduce_gradients(self.model)
        value, correct = sums.tolist()
        return value, int(correct)

    def _logits(self, images: Tensor) -> Tensor:
        """Return the logits of a training step, in the model's dtype whatever the precision."""
        network = self.model if self.network is None else self.network
        with self._attention(), autocast(self.precision, self.device):
            return network(images).to(self.model.dtype)

    def _update(self, lr: float) -> float:
        """Clip the gradient and update weights and average; return the norm before clipping."""
        self.scaler.unscale(self.optimizer.optimizer)
        norm = clip_grad_norm(self.model.parameters(), self.clip_norm)
        if self.scaler.update(norm, self.steps):
            self.optimizer.step(lr)
            if self.ema is not None:
                self.ema.update()
        return norm

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if targets.dim() == 1:
            return ops.cross_entropy(logits, targets, self.label_smoothing)
        return ops.soft_cross_entropy(logits, targets.to(logits.dtype), self.label_smoothing)

    @torch.no_grad()
    def predict(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Return the logits (N, num_classes) in evaluation mode, for `batch_size` images at a time."""
        check_images(images)
        batch_size = as_int("batch_size", batch_size, 1)
        starts = range(0, len(images), batch_size)
        with self._evaluating():
            logits = [self.model(self._images(images[s : s + batch_size])) for s in starts]
        return as_array(torch.cat(logits))

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> EvalResult:
        """Return the mean cross-entropy, unsmoothed, the number of correct answers and the classes."""
        check_batch(images, labels, self._num_classes)
        logits = self.predict(images)
        loss = ops.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels.astype(np.int64)))
        predicted = logits.argmax(-1)
        return EvalResult(float(loss), int((predicted == labels).sum()), predicted)

    @torch.no_grad()
    def attention_maps(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the attention probabilities of each block in evaluation mode.

        A list of (B, H, L, L), or of (B·nW, H, L, L) for a model with windows.
        """
        check_images(images)
        with self._evaluating():
            return [as_array(p) for p in self.model.attention_maps(self._images(images))]

    def state_dict(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return ({name: array} of all that trains, {"step", "generator"} for JSON).

        Names begin with "model.", "optimizer.", with an average "ema." and in fp16 "scaler.".
        """
        model = {name: as_array(p) for name, p in self.model.state_dict().items()}
        parts = {"model": model, "optimizer": self.optimizer.state_dict()}
        parts |= {"ema": self.ema.state_dict() if self.ema else {}, "scaler": self.scaler.state_dict()}
        arrays = {f"{top}.{name}": a for top, named in parts.items() for name, a in named.items()}
        return arrays, {"step": self.steps, "generator": generator_state(self.model.generator)}

    def load_state_dict(self, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` of either twin returned.

        Raises TypeError/ValueError, changing nothing, if it does not fit.
        """
        check_arrays(arrays)
        part = {
            top: {k.removeprefix(top): v for k, v in arrays.items() if k.startswith(top)}
            for top in ("model.", "optimizer.", "ema.", "scaler.")
        }
        expected = {name: p.shape for name, p in self.model.state_dict().items()}
        check_state(expected, part["model."])
        if unexpected := arrays.keys() - {top + k for top, named in part.items() for k in named}:
            raise ValueError(f"state does not fit: unexpected {sorted(unexpected)}")
        check_state(expected if self.ema else {}, part["ema."], "ema.")
        if not isinstance(progress, Mapping):
            raise TypeError(f"progress is a {type(progress).__name__}, expected a dict")
        if missing := {"step", "generator"} - progress.keys():
            raise ValueError(f"progress lacks {', '.join(sorted(missing))}")
        step = as_int('progress["step"]', progress["step"], 0)
        scaler = self.scaler.checked(part["scaler."], step)
        check_generator_state(self.model.generator, progress["generator"])
        updates = step - scaler.get("skipped", 0)
        self.optimizer.load_state_dict(part["optimizer."], updates)  # the last that can be refused
        own = self.model.state_dict()
        self.model.load_state_dict({k: like(torch.tensor(v), own[k]) for k, v in part["model."].items()})
        self.scaler.load(scaler)
        if self.ema is not None:
            self.ema.load_state_dict(part["ema."], updates)
        set_generator_state(self.model.generator, progress["generator"])

    def _evaluating(self) -> ExitStack:
        """Return the context of an evaluation: dropout off, the average as the weights."""
        self.model.eval()
        stack = ExitStack()
        stack.enter_context(self._attention())
        if self.ema is not None:
            stack.enter_context(self.ema.in_place())
        return stack

    def _attention(self) -> AbstractContextManager[None]:
        return nullcontext() if self.attention is None else ops.use_ops(self.attention)

    def _images(self, images: np.ndarray) -> Tensor:
        native = images.dtype.newbyteorder("=")
        return torch.from_numpy(np.ascontiguousarray(images, native)).to(self.device, self.model.dtype)

    def _targets(self, labels: np.ndarray) -> Tensor:
        dtype = np.int64 if labels.ndim == 1 else labels.dtype.newbyteorder("=")
        return torch.from_numpy(labels.astype(dtype)).to(self.device)


def as_implementation(attention: Any) -> Implementation | None:
    """Return the name of an implementation of attention, or None; raises TypeError/ValueError."""
    if attention is None:
        return None
    if not isinstance(attention, str):
        raise TypeError(f"attention is {attention!r}, expected the name of an implementation or None")
    check_choice("attention", attention, get_args(Implementation))
    return cast(Implementation, attention)
