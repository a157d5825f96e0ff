"""The implementations of attention, and which of them a call gets.

An implementation is a module with `refusal(inputs)`, why it cannot take a call, or None, and
`attend(inputs)`.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, cast, get_args

from torch import Tensor

from ...types import Implementation
from . import eager, flex, sdpa, triton
from .inputs import Inputs


class Module(Protocol):
    """What a module has to define to be an implementation."""

    refusal: Callable[[Inputs], str | None]
    attend: Callable[[Inputs], Tensor]


REGISTRY = cast("dict[str, Module]", {"eager": eager, "sdpa": sdpa, "flex": flex, "triton": triton})
AUTO = {"cuda": ("triton", "sdpa", "eager")}  # the first that takes the call; on other devices eager
IMPLEMENTATIONS = get_args(Implementation)
_chosen: ContextVar[Implementation] = ContextVar("torch_impl.use_ops", default="eager")


@contextmanager
def use_ops(implementation: Implementation) -> Generator[None]:
    """Let `attention` prefer this implementation within the block; "eager" is the default.

    A call that it cannot take is computed eagerly. The choice holds for this thread or asyncio task and
    the tasks that it starts; a new thread begins with the default. What torch.compile has compiled keeps
    the choice under which it was compiled. Raises ValueError for another name.
    """
    token = _chosen.set(_check(implementation))
    try:
        yield
    finally:
        _chosen.reset(token)


def implementation_for(inputs: Inputs, implementation: Implementation | None) -> Module:
    """Return the implementation that takes this call.

    implementation: None for the one that `use_ops` prefers, or eager where that refuses.
    Raises ValueError for an unknown name, and for one that refuses the call.
    """
    name = _check(_preferred() if implementation is None else implementation)
    if name == "auto":
        return _first_that_takes(inputs)
    reason = REGISTRY[name].refusal(inputs)
    if reason is None:
        return REGISTRY[name]
    if implementation is None:
        return REGISTRY["eager"]
    raise ValueError(f"implementation is {name!r}, which cannot take this call: {reason}")


def _first_that_takes(inputs: Inputs) -> Module:
    for name in AUTO.get(inputs.q.device.type, ()):
        if REGISTRY[name].refusal(inputs) is None:
            return REGISTRY[name]
    return REGISTRY["eager"]


def _preferred() -> Implementation:
    return _chosen.get()


# Dynamo cannot look into a context variable. This is all that torch.compiler.assume_constant_result
# does, but that takes half a second to import Dynamo, for those too who compile nothing.
_preferred._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def _check(implementation: Implementation) -> Implementation:
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"implementation is {implementation!r}, expected one of {', '.join(IMPLEMENTATIONS)}"
        )
    return implementation
