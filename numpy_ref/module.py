"""Modules hold parameters, children and what backward needs; the maths is in ops.

The contract: `forward(x)` keeps what `backward(dout)` needs. `backward` adds to the `grad` of each
parameter and returns the gradient of forward's input. Each forward has one backward, and nothing else
goes through the module in between: attention maps, for example, are a forward pass of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, cast

import numpy as np

from .checks import check_state
from .types import Array


class Parameter:
    """An array to be trained: `data`, and its gradient `grad` of the same shape."""

    def __init__(self, data: Array):
        self.data = data
        self.grad = np.zeros_like(data)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def accumulate(self, grad: Array) -> None:
        """Add `grad`, of the parameter's shape, to its gradient."""
        self.grad += grad


P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Forward(Protocol[P, R]):
    """Anything with a `forward`; a module is called with its arguments."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


class Module:
    """Finds parameters and children among its attributes, in the order in which they were set."""

    training = True
    forward: Callable[..., Any]
    backward: Callable[..., Any]

    def __call__(self: Forward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.forward(*args, **kwargs)

    def named_children(self) -> list[tuple[str, "Module"]]:
        """Return the pairs (name, module) of the direct children."""
        return [(n, v) for n, v in vars(self).items() if isinstance(v, Module)]

    def modules(self) -> Iterator["Module"]:
        """Yield the module itself and all modules below it."""
        yield self
        for _, child in self.named_children():
            yield from child.modules()

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield the pairs (name, Parameter); a name is a dotted path, as in the state dict."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.named_children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> list[Parameter]:
        """Return all parameters, in the order of `named_parameters`."""
        return [p for _, p in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to zero."""
        for p in self.parameters():
            p.grad[...] = 0

    def spend(self, name: str = "_cache") -> Any:
        """Take what `forward` saved and drop the reference, so that its memory can be reused.

        Raises RuntimeError if there is nothing: backward without a forward of its own.
        """
        cache = vars(self).pop(name, None)
        if cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward needs a forward of its own before it")
        return cache

    def train(self, mode: bool = True) -> Self:
        """Switch training mode on, or off with False, here and below; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch training mode off, here and below; returns the module."""
        return self.train(False)

    def state_dict(self) -> dict[str, Array]:
        """Return {name: array}, copies; the keys and shapes are those of the PyTorch twin."""
        return {name: p.data.copy() for name, p in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy each array in, cast to the parameter's dtype.

        Raises ValueError naming missing and unexpected keys or a wrong shape, before anything changes.
        """
        parameters = dict(self.named_parameters())
        check_state({name: p.shape for name, p in parameters.items()}, state)
        for name, p in parameters.items():
            p.data[...] = np.asarray(state[name])


M = TypeVar("M", bound=Module)


class ModuleList(Module, Generic[M]):
    """A list of modules; its children are named "0", "1", …"""

    def __init__(self, modules: Iterable[M]):
        for n, module in enumerate(modules):
            setattr(self, str(n), module)

    def __iter__(self) -> Iterator[M]:
        return iter(cast("list[M]", [child for _, child in self.named_children()]))

    def __len__(self) -> int:
        return len(self.named_children())


class Sequential(ModuleList[Module]):
    """Apply the modules one after the other: out = f_n(… f_1(x))."""

    def forward(self, x: Array) -> Array:
        for module in self:
            x = module(x)
        return x

    def backward(self, dout: Array) -> Array:
        for module in reversed(list(self)):
            dout = module.backward(dout)
        return dout
