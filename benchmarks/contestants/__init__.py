"""Who takes part in what. A contestant's packages are imported when it is made, not before: a process
that measures the memory of one twin must not hold the other."""

import importlib

from ._contestant import CannotRunError, Contestant

OURS = ("numpy", "numba")
SWITCHES = {  # name: (implementation of torch_impl.ops.attention, compiled)
    "torch eager": ("eager", False),
    "torch sdpa": ("sdpa", False),
    "torch.compile eager": ("eager", True),
    "torch.compile sdpa": ("sdpa", True),
}
ATTENTION = {
    **dict.fromkeys(OURS, "attention_numpy"),
    **dict.fromkeys(SWITCHES, "attention_torch"),
    "flex_attention": "attention_flex",
}
GATHER = {**dict.fromkeys(OURS, "bias_numpy"), "torch table[index]": "bias_torch"}
SCATTER = {
    **dict.fromkeys((*OURS, "numpy add.at"), "bias_numpy"),
    **dict.fromkeys(("torch index_add_", "torch autograd"), "bias_torch"),
}
MODULES = {
    **dict.fromkeys(OURS, "module_numpy"),
    **dict.fromkeys(SWITCHES, "module_torch"),
    **dict.fromkeys(("transformers eager", "transformers sdpa", "timm"), "module_third_party"),
}
STEP = {**dict.fromkeys(OURS, "step_numpy"), **dict.fromkeys(SWITCHES, "step_torch")}


def make(places, name, work, given, backward=True, device="cpu"):
    """The Contestant `name` of one of the tables above; raises CannotRunError with the reason.

    given: the arrays of `workloads.inputs_of`. backward: gradients too.
    """
    module = importlib.import_module(f".{places[name]}", __package__)
    return module.make(name, work, given, backward, device)


def compiles(name):
    """Whether torch.compile is part of it."""
    return name.startswith(("torch.compile", "flex"))


def is_ours(name):
    """Whether it is the NumPy twin, whose errors fail a run; with one thread or with all."""
    return name.partition(",")[0] in OURS


def of_torch(name):
    """Whether it is one to be measured against."""
    return not name.startswith("num")


__all__ = [
    "ATTENTION",
    "GATHER",
    "MODULES",
    "OURS",
    "SCATTER",
    "STEP",
    "SWITCHES",
    "CannotRunError",
    "Contestant",
    "compiles",
    "is_ours",
    "make",
    "of_torch",
]
