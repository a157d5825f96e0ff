"""The base of modules: PyTorch's own, typed."""

from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from torch import nn

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Forward(Protocol[P, R]):
    """Anything with a `forward`; a module is called with its arguments."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


class Module(nn.Module):
    """PyTorch's own, with the types of `forward` for its call."""

    if TYPE_CHECKING:

        def __call__(self: Forward[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...
