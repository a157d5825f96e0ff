"""An entry of a suite: a race that is still to be run."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .contestants import ATTENTION

FORWARD, BOTH = "forward", "forward + backward"


def as_it_is(truth, results):
    return results


@dataclass(frozen=True)
class Entry:
    """`places` says where the contestants are (contestants/__init__.py); backward: gradients too.

    sizes: {name: number} for the report. settle(truth, results) -> the results as they can be compared.
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
