"""The contestants: a way to compute attention, alone or within a Swin block of the PyTorch twin."""

from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch.nn.attention.flex_attention import flex_attention

import torch_impl
from torch_impl.ops import attention
from torch_impl.ops.attention import registry

from ..contestants import CannotRunError
from .works import Attention

OURS = "triton"
ATTENTION = {  # name: (implementation of torch_impl.ops.attention, compiled)
    OURS: ("triton", False),
    "flex_attention": (None, True),
    "sdpa": ("sdpa", False),
    "eager": ("eager", False),
    "torch.compile eager": ("eager", True),
}
BLOCK = ATTENTION | {"flex_attention": ("flex", False)}
LEAVES = ("q", "k", "v", "table")
MOVING = {  # axes whose length may change without compiling again
    "windows": {"q": (0,), "k": (0,), "v": (0,)},
    "length": dict.fromkeys("qkv", (2,))
    | {"table": (0,), "index": (0, 1), "queries": (0,), "keys": (0,)},
}


def of(work):
    """Return the names of the contestants for this work."""
    return tuple(ATTENTION if isinstance(work, Attention) else BLOCK)


def make(name, work, given, state, device):
    """Return (call, leaves): call() -> out, and {name of the gradient: tensor}.

    given: {name: tensor} of the inputs, on the device. state: {name: tensor} of a block's parameters, or
    None for those that it starts with.
    Raises CannotRunError, or whatever the contestant's libraries raise.
    """
    build = _attention if isinstance(work, Attention) else _block
    return build(name, work, given, state, device)


def _attention(name, work, given, state, device):
    implementation, compiled = ATTENTION[name]
    x = {leaf: given[leaf] for leaf in LEAVES}
    leaves = {f"d{leaf}": tensor for leaf, tensor in x.items()}
    offsets = work.offsets(device)
    if name == "flex_attention":
        return _flex(x, offsets, work, device), leaves
    known(implementation)
    if name == OURS:  # reads no index
        return partial(attention, **x, offsets=offsets, implementation=implementation), leaves
    x["index"] = offsets.index()
    call = compile_for(attention, device) if compiled else attention
    if compiled:
        mark_moving(work, **x)
    return partial(call, **x, implementation=implementation), leaves


def _flex(x, offsets, work, device):
    """Return a call of PyTorch's flex_attention that looks the bias up for each pair."""
    queries, keys, table = offsets.queries, offsets.keys, x["table"]
    mark_moving(work, **x, queries=queries, keys=keys)
    call = compile_for(flex_attention, device)

    def add_bias(score, batch, head, query, key):
        return score + table[queries[query] + keys[key], head]

    return partial(call, x["q"], x["k"], x["v"], score_mod=add_bias)


def _block(name, work, given, state, device):
    implementation, compiled = BLOCK[name]
    known(implementation)
    x = given["x"]
    sizes = {"window_size": work.window, "shift_size": work.window // 2}
    block = torch_impl.SwinTransformerBlock(work.width, work.heads, **sizes, dtype=x.dtype)
    if state is not None:
        block.load_state_dict(state)
    block.to(device)
    called = compile_for(block, device) if compiled else block
    leaves = {"dx": x} | {f"grad.{n}": p for n, p in block.named_parameters()}

    def call():
        with only(implementation):
            return called(x)

    return call, leaves


def known(implementation):
    """Raise CannotRunError if torch_impl has no such implementation."""
    if implementation not in registry.REGISTRY:
        raise CannotRunError(f"torch_impl has no implementation {implementation!r}")


def compile_for(call, device):
    """Compile the call; on a CPU only trace it, since there no compiled code is timed."""
    return torch.compile(call) if device == "cuda" else torch.compile(call, backend="eager")


def mark_moving(work, **tensors):
    """Mark the batch, or the length, as dynamic, so that the small piece uses the same compiled code."""
    for name, axes in MOVING[work.suite].items():
        for axis in axes if name in tensors else ():
            torch._dynamo.maybe_mark_dynamic(tensors[name], axis)


@contextmanager
def only(implementation):
    """Use this implementation, and raise CannotRunError where it refuses: no eager in its place."""
    eager = registry.REGISTRY["eager"]
    before = eager.attend

    def refuse(inputs):
        raise CannotRunError(registry.REGISTRY[implementation].refusal(inputs))

    with ExitStack() as stack:
        stack.enter_context(torch_impl.use_ops(implementation))
        if implementation != "eager":
            stack.callback(setattr, eager, "attend", before)
            eager.attend = refuse
        yield
