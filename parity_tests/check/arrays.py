"""Array libraries: NumPy's arrays as theirs and back, and their automatic differentiation."""

import numpy as np


class NumPy:
    """Kernels on NumPy arrays; bfloat16 needs the package ml_dtypes."""

    differentiates = False

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        return value.astype(self.dtype(dtype)) if value.dtype.kind == "f" else value

    def dtype(self, name):
        if name != "bfloat16":
            return np.dtype(name)
        try:
            import ml_dtypes
        except ImportError:
            raise ValueError("bfloat16 in NumPy needs the package ml_dtypes") from None
        return np.dtype(ml_dtypes.bfloat16)

    def numpy(self, x):
        return np.asarray(x).astype(np.float64)


class Torch:
    """Kernels on PyTorch tensors, on CUDA if there is one."""

    differentiates = True

    def __init__(self):
        import torch

        self.torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        kind = getattr(self.torch, dtype) if value.dtype.kind == "f" else self.torch.int64
        return self.torch.tensor(value, dtype=kind, device=self.device)

    def differentiate(self, forward, given, wanted, dout):
        leaves = {name: x.requires_grad_(name in wanted) for name, x in given.items() if name in wanted}
        out = forward(**given | leaves)
        return out, self.torch.autograd.grad(out, [*leaves.values()], dout)

    def numpy(self, x):
        return x.detach().to("cpu", self.torch.float64).numpy()


class JAX:
    """Kernels on JAX arrays; float64 turns jax_enable_x64 on."""

    differentiates = True

    def __init__(self):
        import jax

        self.jax = jax
        jax.config.update("jax_enable_x64", True)

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        return self.jax.numpy.asarray(value, dtype if value.dtype.kind == "f" else "int32")

    def differentiate(self, forward, given, wanted, dout):
        def of_wanted(*values):
            return forward(**given | dict(zip(wanted, values, strict=True)))

        out, pullback = self.jax.vjp(of_wanted, *(given[name] for name in wanted))
        return out, pullback(dout)

    def numpy(self, x):
        return np.asarray(x, np.float64)


class OfDLPack:
    """Kernels on arrays of another library that has `from_dlpack` (CuPy) or takes NumPy's (MLX)."""

    differentiates = False
    name: str

    def __init__(self):
        import importlib

        self.module = importlib.import_module(self.name)

    def array(self, value, dtype):
        if not isinstance(value, np.ndarray):
            return value
        made = (
            self.module.asarray(value) if hasattr(self.module, "asarray") else self.module.array(value)
        )
        return made.astype(getattr(self.module, dtype)) if value.dtype.kind == "f" else made

    def numpy(self, x):
        x = x.get() if hasattr(x, "get") else x
        return np.asarray(x).astype(np.float64)


class CuPy(OfDLPack):
    name = "cupy"


class MLX(OfDLPack):
    name = "mlx.core"


LIBRARIES = {"numpy": NumPy, "torch": Torch, "jax": JAX, "cupy": CuPy, "mlx": MLX}


def library_of(function, module):
    """Return the key of `LIBRARIES` that the function names, or else that its module imports."""
    own = {name: x for name, x in vars(module).items() if name in function.__code__.co_names}
    for names in (own, vars(module)):
        imported = {getattr(x, "__name__", "").partition(".")[0] for x in names.values()}
        for name in ("torch", "jax", "cupy", "mlx", "numpy"):
            if name in imported:
                return name
    return "numpy"
