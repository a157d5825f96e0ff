"""What the processes that share a training step tell each other."""

from torch import Tensor, nn


class Processes:
    """This process alone: nothing is exchanged. Distributed training overrides all three.

    A step adds the gradient of Σ over its images of loss / total; over all processes that is the
    gradient of the whole batch's mean loss.
    """

    def total(self, count: int) -> int:
        """Return the number of images in the whole batch; count: those of this process."""
        return count

    def reduce_sums(self, sums: Tensor) -> None:
        """Sum a few numbers over the processes, in place."""

    def reduce_gradients(self, model: nn.Module) -> None:
        """Sum the gradients of all parameters over the processes, in place, unless backward did."""
