"""The type of a race that is yet to be run, and the one of attention."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .contestants import ATTENTION

FORWARD, BOTH, STEP_PART = "forward", "forward + backward", "training step"


def as_it_is(truth, results):
    return results


@dataclass(frozen=True)
class Entry:
    """A race to run.

    part: what of the work is timed, as the report prints it.
    places: {contestant: module}, one of the tables in contestants/__init__.py.
    backward: also compute the gradients.
    sizes: {name: number} for the report.
    settle(truth, results): return the results without what no float32 computation can get right.
    """

    suite: str
    work: object
    part: str
    places: dict
    backward: bool = True
    sizes: dict = field(default_factory=dict)
    settle: Callable = as_it_is

    @property
    def label(self):
        return f"{self.suite}: {self.work.name}, {self.part}"


def attention(suite, work, backward=True, places=ATTENTION):
    sizes = {"window": work.window, "batch": work.batch, "tokens": work.tokens}
    sizes["flops"] = work.flops(backward)
    return Entry(suite, work, BOTH if backward else FORWARD, places, backward, sizes)
