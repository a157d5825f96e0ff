"""What the processes that share a training step tell each other."""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from torch import Tensor, nn


class Processes:
    """This process alone: nothing is exchanged. Distributed training overrides the methods.

    A step adds the gradient of Σ over its images of loss / total; over all processes that is the
    gradient of the whole batch's mean loss.
    """

    def counts(self, count: int) -> Sequence[int]:
        """Return how many images of the batch each process has; count: those of this one."""
        return [count]

    def micro_batches(self, counts: Sequence[int], accumulate: int) -> Generator[slice]:
        """Yield the rows of each micro-batch; every process has as many, some perhaps without an image.

        counts: as `counts` returns them; accumulate: into how many parts the largest is cut.
        """
        most = max(counts)
        size = -(-most // accumulate)
        for start in range(0, most, size):
            sizes = [min(max(count - start, 0), size) for count in counts]
            with self.micro_batch(sizes, start + size >= most):
                yield slice(start, start + size)

    def micro_batch(self, counts: Sequence[int], last: bool) -> AbstractContextManager[None]:
        """Return the context of a micro-batch; counts: its images in each process."""
        return nullcontext()

    def padded(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a micro-batch that is ready for the model: here, as it is.

        Several processes may leave one of them without an image. Where backward waits for all of them,
        that process gets one image of zeros.
        """
        return images, labels

    def reduce_sums(self, sums: Tensor) -> None:
        """Sum a few numbers over the processes, in place."""

    def reduce_gradients(self, model: nn.Module) -> None:
        """Sum the gradients of all parameters over the processes, in place, unless backward did."""
