"""Array libraries: conversion to and from NumPy arrays, and automatic differentiation."""

import numpy as np

from .. import interpreter

# Half of it is no normal number.
TINY = {"float64": 2.0**-1024, "float32": 2.0**-128, "float16": 2.0**-16, "bfloat16": 2.0**-128}


class NumPy:
    """Kernels on NumPy arrays; bfloat16 needs the package ml_dtypes."""

    differentiates = False

    def __init__(self, device=None):
        if device not in (None, "cpu"):
            raise ValueError(f"NumPy has no device {device!r}")

    def array(self, value, dtype):
        """Return an array of the library: floats in `dtype`, integers as they are; else the value."""
        if not isinstance(value, np.ndarray):
            return value
        return value.astype(self.dtype(dtype)) if value.dtype.kind == "f" else value.copy()

    def dtype(self, name):
        if name != "bfloat16":
            return np.dtype(name)
        try:
            import ml_dtypes
        except ImportError:
            raise ValueError("bfloat16 in NumPy needs the package ml_dtypes: pip install it") from None
        return np.dtype(ml_dtypes.bfloat16)

    def numpy(self, x):
        """Return a result as a NumPy array, floats as float64; of any library that has DLPack."""
        if hasattr(x, "__dlpack__") and not isinstance(x, np.ndarray | np.generic):
            x = np.from_dlpack(x)
        x = np.asarray(x)
        if x.dtype.kind in "OUSMmc":
            raise TypeError(f"its elements are {x.dtype}")
        return x if x.dtype.kind in "biu" else x.astype(np.float64)

    def keeps_denormals(self, dtype):
        """Return whether the library computes with numbers below the smallest normal one."""
        tiny = self.array(np.array([TINY[dtype]]), dtype)
        return bool(self.numpy(tiny + tiny)[0])


class Torch(NumPy):
    """Kernels on PyTorch tensors; on CUDA if there is a GPU and no other device is named."""

    differentiates = True

    def __init__(self, device=None):
        import torch

        self.torch = torch
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.torch.empty(0, device=self.device)  # a device that is not there is noticed here
        if self.device.index is not None and self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # Triton starts its kernels on the current device
        if interpreter.is_used():
            interpreter.convert_as_a_gpu()

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        tensor = self.torch.from_dlpack(np.array(value))
        kind = getattr(self.torch, dtype) if value.dtype.kind == "f" else self.torch.int64
        return tensor.to(kind).to(self.device)

    def differentiate(self, forward, given, wanted, dout):
        """Return the output and the gradients of the wanted arguments, None for each without one.

        There are no gradients, (), for an output of the wrong shape.
        """
        leaves = [given[name].requires_grad_() for name in wanted]
        out = first(forward(given))
        if getattr(out, "shape", None) != dout.shape:
            return out, ()
        if not out.requires_grad:
            return out, [None] * len(wanted)
        return out, self.torch.autograd.grad(out, leaves, dout.to(out.dtype), allow_unused=True)

    def numpy(self, x):
        if not isinstance(x, self.torch.Tensor):
            return super().numpy(x)
        x = x.detach().cpu()
        return super().numpy(x.to(self.torch.float64) if x.is_floating_point() else x)


class JAX(NumPy):
    """Kernels on JAX arrays; turns jax_enable_x64 on, without which it has no float64."""

    differentiates = True

    def __init__(self, device=None):
        import jax

        self.jax = jax
        jax.config.update("jax_enable_x64", True)
        platform, _, number = (device or "").partition(":")
        self.device = jax.devices(platform)[int(number or 0)] if device else None

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        kind = self.jax.numpy.dtype(dtype) if value.dtype.kind == "f" else np.int32
        return self.jax.device_put(value.astype(kind), self.device)  # JAX would compile a conversion

    def differentiate(self, forward, given, wanted, dout):
        """Return the output and the gradients of the wanted arguments; () if the shape is wrong."""

        def of_wanted(*values):
            return first(forward(given | dict(zip(wanted, values, strict=True))))

        out, pullback = self.jax.vjp(of_wanted, *(given[name] for name in wanted))
        if getattr(out, "shape", None) != dout.shape:
            return out, ()
        return out, pullback(dout.astype(out.dtype))

    def numpy(self, x):
        return super().numpy(np.asarray(x))


class CuPy(NumPy):
    """Kernels on CuPy arrays; bfloat16 needs the package ml_dtypes."""

    def __init__(self, device=None):
        import cupy

        self.cupy = cupy
        if device:
            cupy.cuda.Device(int(device.rpartition(":")[2])).use()

    def array(self, value, dtype):
        value = super().array(value, dtype)
        return self.cupy.asarray(value) if isinstance(value, np.ndarray) else value

    def numpy(self, x):
        return super().numpy(x.get() if hasattr(x, "get") else x)


class MLX(NumPy):
    """Kernels on MLX arrays, which are made from NumPy's."""

    def __init__(self, device=None):
        import mlx.core

        self.mlx = mlx.core
        if device:
            self.mlx.set_default_device(getattr(self.mlx, device))

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype.kind != "f":
            return self.mlx.array(value.astype(np.int32))
        return self.mlx.array(value.astype(np.float32)).astype(getattr(self.mlx, dtype))

    def numpy(self, x):
        is_float = isinstance(x, self.mlx.array) and self.mlx.issubdtype(x.dtype, self.mlx.floating)
        return super().numpy(np.array(x.astype(self.mlx.float32)) if is_float else np.array(x))


LIBRARIES = {"numpy": NumPy, "torch": Torch, "jax": JAX, "cupy": CuPy, "mlx": MLX}


def open_library(name, device=None):
    """Return the library of that name, on a device; raises ValueError if one of the two is not there."""
    try:
        return LIBRARIES[name](device)
    except ImportError as error:
        raise ValueError(f"the library {name} is not installed here: {error}") from error
    except (RuntimeError, AssertionError, AttributeError, IndexError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(f"{name} has no device {device!r} here: {first_line}") from error


def library_of(function, module):
    """Return the key of `LIBRARIES` that the function names, or else that its module imports."""
    function = getattr(function, "func", function)  # of a functools.partial
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    used = code.co_names if code else ()
    own = {name: x for name, x in vars(module).items() if name in used}
    imported_inside = {name for name in used if name in LIBRARIES}
    for roots in (_roots(own) | imported_inside, _roots(vars(module)) | _roots({"": type(function)})):
        for name in ("torch", "jax", "cupy", "mlx", "numpy"):
            if name in roots:
                return name
    return "numpy"


def _roots(names):
    """Return the packages that the objects come from."""
    found = set()
    for x in names.values():
        name = x.__name__ if isinstance(x, type(np)) else getattr(x, "__module__", None)
        found.add(str(name).partition(".")[0])
    return found


def first(returned):
    """Return the output of what forward returned: all of it, or the first of several."""
    return returned[0] if isinstance(returned, tuple | list) else returned
