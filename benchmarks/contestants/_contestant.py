"""What a contestant is."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass


class CannotRunError(Exception):
    """Says why a contestant takes no part in a race."""


@dataclass(frozen=True)
class Contestant:
    """run() does the work once; named(what it returned) -> {name: array or tensor}, not timed.

    `within()` is entered around each of its turns.
    """

    run: Callable
    within: Callable = nullcontext
    named: Callable = dict
