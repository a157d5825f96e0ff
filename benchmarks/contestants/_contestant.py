"""The type of a contestant, and the error of one that cannot run."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass


class CannotRunError(Exception):
    """Raised where a contestant cannot run here; the message says why."""


@dataclass(frozen=True)
class Contestant:
    """One implementation of a workload.

    run() does the work once and is timed.
    within() returns a context that is entered around each turn.
    named(result of run) returns {name: array or tensor} for the check; it is not timed.
    """

    run: Callable
    within: Callable = nullcontext
    named: Callable = dict
