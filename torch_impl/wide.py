"""Half precision: what makes a table is computed in float32 and rounded once, at the end.

An MLP in half precision would get wrong gradients: a rounded activation switches units of a ReLU. So
autocast, which would multiply in half precision, is off in what is wide.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import Module


def wide(x: Tensor) -> Tensor:
    """Return x in float32 if its precision is lower, else x itself."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Return a block in which products on x's device have the dtype of their factors."""
    kind = x.device.type
    on = kind != "meta" and torch.is_autocast_enabled(kind)  # the meta device has no autocast
    return torch.autocast(kind, enabled=False) if on else nullcontext()


def call_wide(module: Module, x: Tensor) -> Tensor:
    """Return module(x), with x and the parameters made wide, also under autocast."""
    with without_autocast(x):
        return _call_wide(module, x)


def _call_wide(module: Module, x: Tensor) -> Tensor:
    parameters = dict(module.named_parameters())
    if all(p.dtype == torch.promote_types(p.dtype, torch.float32) for p in parameters.values()):
        return module(x.to(next(iter(parameters.values())).dtype))
    return functional_call(module, {name: wide(p) for name, p in parameters.items()}, (x.float(),))
