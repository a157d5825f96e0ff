"""The training step of the PyTorch twin's Trainer, with the model compiled or not."""

import torch

from . import SWITCHES
from ._contestant import Contestant
from ._step import left_by, trainer_of
from ._torch import chosen, finished


def make(name, work, given, backward, device):
    implementation, compiled = SWITCHES[name]
    images, labels = given["images"], given["labels"]
    trainer = trainer_of("torch", "float32", device)
    parameters = list(trainer.model.named_parameters())
    if compiled:
        trainer.model = torch.compile(trainer.model, dynamic=False)
    return Contestant(
        finished(lambda: trainer.train_step(images, labels), device),
        lambda: chosen(implementation),
        lambda result: left_by(result, parameters, lambda p: (p.detach(), p.grad)),
    )
