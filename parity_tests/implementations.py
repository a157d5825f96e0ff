"""The PyTorch twin's implementations of attention, and which cases of the table each refuses."""

import warnings
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

from torch.nn.attention import flex_attention

import torch_impl
from torch_impl import SCHEMES
from torch_impl.ops.attention import flex
from torch_impl.ops.attention.registry import REGISTRY

from .cases import CASES
from .run import build

OTHERS = tuple(name for name in REGISTRY if name != "eager")
QUERY = "query_lookup reads the query, which it does not"


def attends(case):
    """Return whether the case is attention, alone or as a module, with one call of the op."""
    return case.kind == "attention" or (case.kind, case.name) == ("op", "attention")


ATTENTION = [case for case in CASES if attends(case)]

DROPOUT = "dropout multiplies the probabilities, which it does not give"
VALUES = "value_embedding needs the probabilities, which it does not give"
WITHOUT_PROBABILITIES = {
    "op-attention-dropout": DROPOUT,
    "op-attention-value_dropout": DROPOUT,
    "op-attention-strips_per_window": DROPOUT,
    "attention-2d-dropout": DROPOUT,
    "attention-shaw-drop": DROPOUT,
    "op-attention-value_embedding": VALUES,
    "op-attention-all": VALUES,
    "attention-shaw-tokens": VALUES,
    "attention-shaw-longer": VALUES,
    "attention-shaw-narrow_heads": VALUES,
    "attention-irpe-qkv": VALUES,
    "attention-irpe-value_only": VALUES,
}
REFUSED = dict.fromkeys(OTHERS, WITHOUT_PROBABILITIES)  # on every device


def expected_refusal(implementation, case, dtype, device):
    """Return why the implementation refuses the case, word for word, or None."""
    reason = REFUSED[implementation].get(case.id)
    if reason is None and implementation == "flex" and device == "cuda":
        if dtype == "float64":
            return "it has no float64"
        if _channels(case) < 16:
            return "on CUDA a head has at least 16 channels"
    return _triton_refusal(case, dtype) if (implementation, reason) == ("triton", None) else reason


def _triton_refusal(case, dtype):
    if "bias" in case.inputs or case.name == "gated_t5":
        return "it has no gradient for bias"
    if case.kind == "attention" and case.name in SCHEMES and SCHEMES[case.name].looks_at_query:
        return QUERY
    if dtype == "float64":
        return "q has dtype torch.float64, expected float32, float16 or bfloat16"
    return None


def _channels(case):
    """Return the smaller of a head's channels in q and in v."""
    if case.kind == "op":
        return min(case.inputs[name].shape[-1] for name in "qv")
    return build(torch_impl, case, "float32").head_dim


@contextmanager
def reasons_of(implementation):
    """Yield a list that gets what the implementation's `refusal` says to each call."""
    module, reasons = REGISTRY[implementation], []

    def refusal(inputs):
        reasons.append(module.refusal(inputs))
        return reasons[-1]

    watched = SimpleNamespace(refusal=refusal, attend=module.attend)
    with mock.patch.dict(REGISTRY, {implementation: watched}):
        yield reasons


def compared(device, dtypes):
    """Return [(implementation, dtype)] to run the cases with; the definition of flex is for float64.

    On a CPU triton is left out: its interpreter is slow, and test_triton has cases for it.
    """
    names = [name for name in OTHERS if (name, device) != ("triton", "cpu")]
    pairs = [(name, dtype) for name in names for dtype in dtypes]
    return [
        (name, dtype) for name, dtype in pairs if (name, device) != ("flex", "cpu") or dtype == "float64"
    ]


@contextmanager
def unfused_flex():
    """Let FlexAttention compute by its definition, which PyTorch does without torch.compile.

    On a CPU its kernels have no backward and no float64; the definition runs the same score_mod, and the
    graph that autograd makes of it, in any precision.
    """
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),  # that it is not compiled
        mock.patch.object(flex, "kernel", lambda device: flex_attention.flex_attention),
        mock.patch.object(flex, "refusal_of_device", lambda inputs: None),
        mock.patch.object(flex_attention, "_validate_device", lambda *qkv: None),
    ):
        yield
