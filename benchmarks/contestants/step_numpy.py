"""The training step of the NumPy twin's Trainer."""

from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

import numpy_ref

from ._contestant import Contestant
from ._step import left_by, trainer_of


def make(name, work, given, backward, device):
    """Make the contestant; it runs on the CPU in the dtype of the images, whatever the device."""
    images, labels = given["images"], given["labels"]
    trainer = trainer_of("numpy", images.dtype.name)
    parameters = list(trainer.model.named_parameters())
    return Contestant(
        lambda: trainer.train_step(images, labels),
        lambda: as_the_command_does(name),
        lambda result: left_by(result, parameters, lambda p: (p.data, p.grad)),
    )


@contextmanager
def as_the_command_does(name):
    """Select the ops and, for the kernels, limit BLAS to one thread, as `experiments.train` does.

    The kernels' own threads call BLAS, a piece of the product each.
    """
    with ExitStack() as stack:
        stack.enter_context(numpy_ref.use_ops(name))
        if name == "numba":
            stack.enter_context(threadpool_limits(1, "blas"))
        yield
