"""Compare an original and one of our twins with the same weights -> a budget.Row per tensor.

Autograd gives the original's gradients. `state` maps its parameters to ours by differentiable
operations. Our gradients go back through the same map, so they become gradients of the original's
parameters. Each is compared under the original's name, whatever the layout.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

import numpy_ref
import torch_impl

from .. import budget
from ..both import array
from ..rounded import RoundedOps, on_grid, round_weights
from ..yardstick import yardsticks

TWINS = {"numpy": numpy_ref, "torch": torch_impl}
SEED = 11


@dataclass(frozen=True)
class Ours:
    """A module of either twin, its kind being a class of both; options are its arguments."""

    kind: str
    bias_type: str
    options: Mapping

    def build(self, twin, dtype):
        return getattr(TWINS[twin], self.kind)(**self.options, dtype=dtype).eval()

    def scheme(self, module):
        return module.rel_pos if self.kind == "MultiHeadAttention" else module

    def stages(self, module):
        return list(module.blocks) if self.kind == "VisionTransformer" else []


def attention(
    embed_dim,
    num_heads,
    bias_type,
    window_size,
    qkv_bias=True,
    cosine=False,
    head_dim=None,
    scale=None,
    **options,
):
    """Return our attention layer as Ours; options: of the scheme."""
    position = {"bias_type": bias_type, "window_size": window_size, **options}
    own = {"qkv_bias": qkv_bias, "cosine_attention": cosine, "rpb_kwargs": position}
    own |= {"head_dim": head_dim, "scale": scale}
    return Ours("MultiHeadAttention", bias_type, {"embed_dim": embed_dim, "num_heads": num_heads, **own})


def scheme(num_heads, bias_type, window_size, **options):
    """Return our scheme alone as Ours; its output is the bias."""
    own = {"num_heads": num_heads, "bias_type": bias_type, "window_size": window_size}
    return Ours("RelativePositionBias", bias_type, {**own, **options})


@dataclass(frozen=True)
class Agreement:
    """An original and our counterpart, to be compared.

    theirs(*inputs): return the original's output in our layout, or a list of outputs.
    state(parameters): return our state from the original's parameters.
    inputs: {"x": shape}; for a scheme {} or the shapes of q (and k).
    index: the original's index, if its table has our order of rows.
    call: further arguments of ours without a gradient (a mask, sizes).
    stages: the original's modules whose outputs are compared with those of ours, `features.N`.
    """

    ours: Ours
    original: nn.Module
    theirs: Callable
    state: Callable
    inputs: Mapping = field(default_factory=dict)
    index: torch.Tensor | None = None
    call: Mapping = field(default_factory=dict)
    dtype: str = "float64"
    stages: Sequence[nn.Module] = ()


def rows(agreement, twin):
    """Return [budget.Row]; raise AssertionError if the names of the tensors differ."""
    rng = np.random.default_rng(SEED)
    agreement.original.eval()
    fill(agreement.original, rng, agreement.dtype)
    inputs = {
        name: budget.rounded(rng.standard_normal(shape), agreement.dtype)
        for name, shape in agreement.inputs.items()
    }
    theirs, douts = _theirs(agreement, inputs, rng)
    ours = _ours(agreement, twin, inputs, douts, agreement.dtype)
    assert theirs.keys() == ours.keys(), f"tensors differ: {sorted(theirs.keys() ^ ours.keys())}"
    found = [] if agreement.index is None else [_index_row(agreement, twin)]
    if agreement.dtype == "float64":
        return found + [budget.float64(name, theirs[name], ours[name]) for name in theirs]
    truth = _ours(agreement, "numpy", inputs, douts, "float64")  # other originals test it in float64
    costs = yardsticks(
        truth,
        lambda rounding: _ours(agreement, "numpy", inputs, douts, "float64", rounding),
        agreement.dtype,
    )
    return found + [
        budget.within_rounding(name, costs[name], side[name])
        for side in (theirs, ours)
        for name in truth
    ]


def fill(original, rng, dtype):
    """Set every parameter to random numbers; matrices keep the variance of their inputs."""
    original.to(getattr(torch, dtype))
    for parameter in original.parameters():
        draw = rng.standard_normal(tuple(parameter.shape)) / np.sqrt(np.prod(parameter.shape[1:]))
        parameter.data = torch.tensor(draw, dtype=parameter.dtype)


def _theirs(agreement, inputs, rng):
    """Run the original; return ({name: array}, [the gradient drawn for each output])."""
    dtype = getattr(torch, agreement.dtype)
    given = {name: torch.tensor(a, dtype=dtype, requires_grad=True) for name, a in inputs.items()}
    features = recorded(agreement.stages)
    outs = _listed(agreement.theirs(*given.values()))
    douts = [budget.rounded(rng.standard_normal(tuple(out.shape)), agreement.dtype) for out in outs]
    sources = {f"d{name}": x for name, x in given.items()}
    sources |= {f"grad.{name}": p for name, p in agreement.original.named_parameters()}
    cotangents = [torch.tensor(dout, dtype=dtype) for dout in douts]
    grads = _grads(outs, sources, cotangents)
    return _arrays(_named(outs) | named_features(features) | grads), douts


def _ours(agreement, twin, inputs, douts, dtype, rounding=None):
    """Run one twin; return {name: array}, with parameter gradients under the original's names.

    rounding: a `Rounding`; then plain NumPy runs with each result rounded at random.
    """
    learned = agreement.original.named_parameters()
    doubles = {name: p.detach().double().requires_grad_() for name, p in learned}
    state = agreement.state(doubles)
    run = _run_numpy if twin == "numpy" else _run_torch
    module = agreement.ours.build(twin, dtype)
    features = recorded(agreement.ours.stages(module))
    if rounding:
        results = _run_rounding(module, _arrays(state), inputs, agreement.call, douts, rounding)
    else:
        results = run(module, _arrays(state), inputs, agreement.call, douts, dtype)
    grads = {name: torch.tensor(results.pop(f"grad.{name}"), dtype=torch.float64) for name in state}
    linked = [name for name, a in state.items() if a.requires_grad]
    sources = {f"grad.{name}": p for name, p in doubles.items()}
    results |= {name: array(a) for name, a in named_features(features).items()}
    return results | _arrays(
        _grads([state[name] for name in linked], sources, [grads[name] for name in linked])
    )


def recorded(stages):
    """Return a list that fills with the outputs of these modules of either twin or an original."""
    outputs = []

    def record(stage):
        forward = stage.forward

        def recording(*args, **kwargs):
            out = forward(*args, **kwargs)
            outputs.append(out[0] if isinstance(out, tuple) else out)
            return out

        stage.forward = recording

    for stage in stages:
        record(stage)
    return outputs


def named_features(outputs):
    return {f"features.{n}": out for n, out in enumerate(outputs)}


def _grads(outs, sources, cotangents):
    """Return {name: gradient of the source}, None without a path; {} if no output has a gradient."""
    if not sources or not any(out.requires_grad for out in outs):
        return {}
    grads = torch.autograd.grad(outs, list(sources.values()), cotangents, allow_unused=True)
    return dict(zip(sources, grads, strict=True))


def _run_numpy(module, state, inputs, call, douts, dtype):
    module.load_state_dict({name: a.astype(dtype) for name, a in state.items()})
    return _pass(module, inputs, call, douts, lambda a: a.astype(dtype))


def _run_rounding(module, state, inputs, call, douts, rounding):
    """Run plain NumPy in float64 with each result rounded at random."""
    module.load_state_dict(state)
    round_weights(module, rounding)
    with numpy_ref.use_ops(RoundedOps(rounding)):
        return _pass(module, inputs, call, douts, lambda a: on_grid(a, rounding))


def _pass(module, inputs, call, douts, cast):
    call = {name: cast(a) if isinstance(a, np.ndarray) else a for name, a in call.items()}
    out = module(**{name: cast(a) for name, a in inputs.items()}, **call)
    module.zero_grad()
    douts = [cast(dout) for dout in douts]
    grads = module.backward(douts if isinstance(out, list) else douts[0])
    grads = [g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None]
    results = _named(_listed(out))
    results |= {f"d{name}": g for name, g in zip(inputs, grads, strict=True)}
    return results | {f"grad.{name}": p.grad for name, p in module.named_parameters()}


def _run_torch(module, state, inputs, call, douts, dtype):
    kind = getattr(torch, dtype)
    module.load_state_dict({name: torch.tensor(a, dtype=kind) for name, a in state.items()})
    given = {name: torch.tensor(a, dtype=kind, requires_grad=True) for name, a in inputs.items()}
    call = {n: torch.tensor(a, dtype=kind) if isinstance(a, np.ndarray) else a for n, a in call.items()}
    outs = _listed(module(**given, **call))
    sources = {f"d{name}": x for name, x in given.items()}
    sources |= {f"grad.{name}": p for name, p in module.named_parameters()}
    cotangents = [torch.tensor(dout, dtype=kind) for dout in douts]
    return _arrays(_named(outs) | _grads(outs, sources, cotangents))


def _listed(out):
    return list(out) if isinstance(out, list | tuple) else [out]


def _named(outs):
    return {"out": outs[0]} if len(outs) == 1 else {f"out.{n}": out for n, out in enumerate(outs)}


def _index_row(agreement, twin):
    index = agreement.ours.scheme(agreement.ours.build(twin, "float64")).index
    return budget.exact("index", np.asarray(agreement.index), np.asarray(index))


def _arrays(tensors):
    """Return {name: array} without None (no path from the output), which shows as a missing name."""
    return {name: a.detach().double().numpy() for name, a in tensors.items() if a is not None}
