"""The sides on which a call is made: plain NumPy, the kernels and the PyTorch twin.

A side makes the first step, then others by name. It keeps in `bound` what a later step may refer to:
`dout`, a gradient of the loss for the result, and `cache`.
"""

import inspect

import numpy as np
import torch

import numpy_ref
import numpy_ref.kernels
import numpy_ref.nn
import numpy_ref.ops
import numpy_ref.swin_block
import torch_impl
import torch_impl.nn
import torch_impl.ops
import torch_impl.swin_block

from .vocabulary import OtherTwin, place


class UnlikeError(Exception):
    """Raised where PyTorch has nothing like this argument, so there is nothing to compare."""


class NumpyOp:
    """An op of `numpy_ref.ops` or `numpy_ref.kernels`, then its backward."""

    has_backward = True

    def __init__(self, module):
        self.module, self.bound = module, {}

    def callable(self, step):
        if self.bound:
            return getattr(self.module, f"{self.op}_{step}")
        self.op = step
        return getattr(self.module, f"{step}_forward", None) or getattr(self.module, step)

    def run(self, step, arguments):
        function, first = self.callable(step), not self.bound
        given = {name: _for_numpy(value) for name, value in arguments.items()}
        if not first:
            dout, cache = given.pop("dout"), given.pop("cache")
            return function(dout, cache, **given)
        result = function(**given)
        if step == "adamw_update":
            return [np.array(given[name]) for name in ("data", "exp_avg", "exp_avg_sq")]
        if hasattr(self.module, f"{step}_backward") and step != "bias":
            result, cache = result
            self.bound = {"dout": _cotangent(result), "cache": cache} | _other_caches(self.module)
        return result


class TorchOp:
    """An op of `torch_impl.ops`; only the forward, as its gradients are autograd's."""

    has_backward = False

    def __init__(self):
        self.bound = {}

    def callable(self, step):
        return getattr(torch_impl.ops, step)

    def run(self, step, arguments):
        given = {name: _for_torch(value) for name, value in arguments.items()}
        if step in ("gelu", "relu", "sigmoid"):  # PyTorch's own functions call the argument `input`
            return self.callable(step)(*given.values())
        return self.callable(step)(**given)


class Module:
    """A module or a function of a twin: `Linear(…).forward(x=…).backward(dout=…)`."""

    def __init__(self, twin, implementation=None):
        self.twin, self.implementation, self.bound, self.module = twin, implementation, {}, None
        self.has_backward = twin is numpy_ref

    def callable(self, step):
        if self.module is not None:
            return getattr(self.module, step)
        twin = self.twin
        return next(getattr(p, step) for p in (twin, twin.nn, twin.swin_block) if hasattr(p, step))

    def run(self, step, arguments):
        if self.implementation is None:
            return self._run(step, arguments)
        with self.twin.use_ops(self.implementation):
            return self._run(step, arguments)

    def _run(self, step, arguments):
        function, convert = self.callable(step), self.convert
        if self.module is not None:
            given = {name: convert(value) for name, value in arguments.items()}
            if step == "backward":
                return function(given.pop("dout"), **given)  # schemes call it dbias, models dlogits
            if step != "forward":
                return function(**given)
            alone = len(given) == 1 and "x" in given  # PyTorch's own layers call it `input`
            result = self.module(*given.values()) if alone else self.module(**given)
            self.bound = {"dout": _cotangent(result)}
            return result
        if step.islower():  # a function such as resize_table; what makes a module is in capitals
            return function(**{name: convert(value) for name, value in arguments.items()})
        built = function(**arguments)
        self.module = built
        return None

    def convert(self, value):
        return _for_numpy(value) if self.twin is numpy_ref else _for_torch(value)


class Training(Module):
    """A Trainer of a small model; its arrays are NumPy arrays in both twins."""

    def _run(self, step, arguments):
        if self.module is None:
            arguments = {"model": _small_model(self.twin)} | arguments
        result = super()._run(step, arguments)
        arrays, progress = self.module.state_dict()
        self.bound = {"arrays": arrays, "progress": progress}
        return result

    def convert(self, value):
        return value.array if isinstance(value, OtherTwin) else value


def _small_model(twin):
    dtype = np.float64 if twin is numpy_ref else torch.float64
    sizes = {"img_size": 4, "patch_size": 2, "num_classes": 3, "embed_dim": 6}
    sizes |= {"depth": 1, "num_heads": 2}
    return twin.VisionTransformer(**sizes, dtype=dtype, generator=np.random.default_rng(0))


def sides_of(target, kind):
    """Return {name: side} for a target of this kind: "op", "module" or "trainer"."""
    if kind == "op":
        sides = {"ops": NumpyOp(numpy_ref.ops), "kernels": NumpyOp(numpy_ref.kernels)}
        return sides | ({"torch": TorchOp()} if hasattr(torch_impl.ops, target) else {})
    side = Training if kind == "trainer" else Module
    return {
        "ops": side(numpy_ref, "numpy"),
        "kernels": side(numpy_ref, "numba"),
        "torch": side(torch_impl),
    }


def names_of(side, step, arguments):
    """Return the names that a message may use for the step's arguments."""
    functions = [side.callable(step), getattr(getattr(side, "module", None), "forward", None)]
    names = {*arguments, *(("state",) if step == "load_state_dict" else ())}
    for function in filter(None, functions):
        try:
            names |= set(inspect.signature(function).parameters)
        except ValueError:
            names.add("input")  # PyTorch's own gelu, relu and sigmoid
    return names - {"self", "args", "kwargs", "options"}


def _other_caches(module):
    """Return {name in calls: cache of another op}."""
    x, weight, heads = np.ones((2, 3)), np.ones((3, 3)), np.ones((1, 1, 2, 3))
    return {
        "gelu_cache": module.gelu_forward(x)[1],
        "linear_cache": module.linear_forward(x, weight)[1],
        "norm_cache": module.layer_norm_forward(x, weight[0], weight[0])[1],
        "attention_cache": module.attention_forward(heads, heads, heads)[1],
    }


def _cotangent(result):
    """Draw a gradient in the result's shape, beside a guard page."""
    if isinstance(result, tuple):
        return tuple(map(_cotangent, result))
    array = np.asarray(result) if not isinstance(result, torch.Tensor) else result.detach().numpy()
    drawn = np.random.default_rng(1).standard_normal(array.shape)
    return place(drawn.astype(array.dtype if array.dtype.kind == "f" else np.float64))


def _for_numpy(value):
    if not isinstance(value, OtherTwin):
        return value
    return _shared(value.array)


def _for_torch(value):
    """Return a tensor that shares the array's memory; raise UnlikeError if PyTorch has none."""
    if isinstance(value, OtherTwin):
        return value.array
    if not isinstance(value, np.ndarray):
        return value
    plain = type(value) in (np.ndarray, np.memmap)
    if not (plain and value.flags.aligned and value.flags.writeable):
        raise UnlikeError(f"an array of {type(value).__name__}, read-only or misaligned")
    return _shared(value)


def _shared(array):
    """Return a tensor that shares the array's memory."""
    try:
        return torch.from_numpy(array)
    except (TypeError, ValueError) as error:  # byte order, negative strides, objects
        raise UnlikeError(str(error)) from None
