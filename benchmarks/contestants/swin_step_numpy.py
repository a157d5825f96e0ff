"""A training step of a Swin Transformer of the NumPy twin."""

import numpy_ref
from numpy_ref.dispatch import F
from numpy_ref.optim import clip_grad_norm

from ..workloads import weights_of
from ._contestant import Contestant
from ._step import CLIP, LR, SMOOTHING, Stepped, left_by, optimizer_of
from .step_numpy import as_the_command_does


def make(name, work, given, backward, device):
    """Make the contestant; it runs on the CPU in the dtype of the images, whatever the device."""
    images, labels = given["images"], given["labels"]
    model = work.build(numpy_ref, images.dtype)
    model.load_state_dict(weights_of(work))
    optimizer = optimizer_of(numpy_ref, model)

    def step():
        optimizer.zero_grad()
        loss, cache = F.cross_entropy_forward(model(images), labels, SMOOTHING)
        model.backward(F.cross_entropy_backward(1.0, cache))
        norm = clip_grad_norm(optimizer.flat_parameters(), CLIP)
        optimizer.step(LR)
        return Stepped(float(loss), norm)

    def named(result):
        return left_by(result, model.named_parameters(), lambda p: (p.data, p.grad))

    return Contestant(step, lambda: as_the_command_does(name), named)
