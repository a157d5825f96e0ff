"""The tables {contestant: its module in this folder}, one per kind of work.

A contestant's packages are imported when it is made, not before: a process that measures the memory of
one twin must not load the other.
"""

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
LIBRARIES = {  # name: (library, its attention, compiled)
    "timm eager": ("timm", "eager", False),
    "timm sdpa": ("timm", "sdpa", False),
    "torchvision": ("torchvision", "eager", False),
    "transformers eager": ("transformers", "eager", False),
    "transformers sdpa": ("transformers", "sdpa", False),
    "torch.compile timm": ("timm", "sdpa", True),
    "torch.compile torchvision": ("torchvision", "eager", True),
    "torch.compile transformers": ("transformers", "sdpa", True),
}
SWIN_BLOCK = {
    **dict.fromkeys(OURS, "module_numpy"),
    **dict.fromkeys(SWITCHES, "module_torch"),
    **dict.fromkeys(LIBRARIES, "block_third_party"),
}
SWIN_STEP = {
    **dict.fromkeys(OURS, "swin_step_numpy"),
    **dict.fromkeys((*SWITCHES, *LIBRARIES), "swin_step_torch"),
}
STEP = {**dict.fromkeys(OURS, "step_numpy"), **dict.fromkeys(SWITCHES, "step_torch")}


def make(places, name, work, given, backward=True, device="cpu"):
    """Return the Contestant `name`; raise CannotRunError with the reason where it cannot run.

    places: one of the tables above.
    given: {name: array}, from `workloads.inputs_of`.
    backward: also compute the gradients.
    """
    module = importlib.import_module(f".{places[name]}", __package__)
    return module.make(name, work, given, backward, device)


def compiles(name):
    """Return whether this contestant uses torch.compile."""
    return name.startswith(("torch.compile", "flex"))


def is_ours(name):
    """Return whether this contestant is the NumPy twin: a run fails if that is wrong."""
    return name.partition(",")[0] in OURS


def of_torch(name):
    """Return whether this contestant runs on PyTorch, as every reference for a ratio does."""
    return not name.startswith("num")


__all__ = [
    "ATTENTION",
    "GATHER",
    "LIBRARIES",
    "MODULES",
    "OURS",
    "SCATTER",
    "STEP",
    "SWIN_BLOCK",
    "SWIN_STEP",
    "SWITCHES",
    "CannotRunError",
    "Contestant",
    "compiles",
    "is_ours",
    "make",
    "of_torch",
]
