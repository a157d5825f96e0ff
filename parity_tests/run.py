"""A case through either twin -> {name: array}: "out", "d<input>", "grad.<parameter>", "index", …

Both start from the same arrays: inputs, state and cotangents are drawn here once and rounded to the
case's dtype, so that a lower precision is judged on what it was really given.
"""

import numpy as np
import torch

import numpy_ref
import numpy_ref.ops
import torch_impl
import torch_impl.ops
from numpy_ref.dispatch import F

from . import budget
from .cases import Dropout, Integers, Mask, Normal

MODULES = {
    "scheme": "RelativePositionBias",
    "attention": "MultiHeadAttention",
    "block": "Block",
    "vit": "VisionTransformer",
}
TORCH_DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "float16", "bfloat16")}
SEED = 7


def inputs_of(case, dtype):
    """{name: array}: floats in float64 holding values that `dtype` can hold, integers as int64."""
    rng = np.random.default_rng([SEED, *case.id.encode()])
    return {name: _draw(spec, rng, dtype) for name, spec in case.inputs.items()}


def state_of(case, dtype):
    """Random, non-zero weights for the case's module; {} for an op."""
    if case.kind == "op":
        return {}
    rng = np.random.default_rng([SEED + 1, *case.id.encode()])
    shapes = {name: a.shape for name, a in build(numpy_ref, case, np.float64).state_dict().items()}
    return {name: budget.rounded(_weight(name, shape, rng), dtype) for name, shape in shapes.items()}


def build(twin, case, dtype):
    """The case's module in one twin, its dropout drawn from the same seed in both."""
    generator = np.random.default_rng(SEED)
    return getattr(twin, MODULES[case.kind])(
        **_constructor(case), dtype=dtype, generator=generator
    ).train()


def run_numpy(case, inputs, state, dtype, implementation="numba"):
    """The NumPy twin in float64 or float32."""
    with numpy_ref.use_ops(implementation):
        given = {name: _cast(a, dtype) for name, a in inputs.items()}
        return (_numpy_op if case.kind == "op" else _numpy_module)(case, given, state, dtype)


def run_torch(case, inputs, state, dtype, device="cpu"):
    """The PyTorch twin in any of its dtypes, on the device; results as float64 arrays."""
    given = {}
    for name, a in inputs.items():
        kind = TORCH_DTYPES[dtype] if a.dtype.kind == "f" else torch.int64
        given[name] = torch.tensor(a, dtype=kind, device=device)
        given[name].requires_grad_(_has_grad(case, name))
    run = _torch_op if case.kind == "op" else _torch_module
    out, results = run(case, given, state, dtype, device)
    cotangents = [
        torch.tensor(g).to(o) for g, o in zip(cotangents_of(case, out, dtype), out, strict=True)
    ]
    differentiable = [(o, g) for o, g in zip(out, cotangents, strict=True) if o.requires_grad]
    if differentiable:
        torch.autograd.backward(*zip(*differentiable, strict=True))
    results |= {f"d{name}": x.grad for name, x in given.items() if x.requires_grad}
    parameters = results.pop("parameters", ())
    # None: the output does not depend on it (Shaw's values do not touch the scores)
    results |= {f"grad.{n}": torch.zeros_like(p) if p.grad is None else p.grad for n, p in parameters}
    return {name: _array(x) for name, x in results.items()}


def _numpy_op(case, given, state, dtype):
    if case.name == "bias":  # its backward takes the geometry, as there is nothing to remember
        out = F.bias_forward(**given)
        (dout,) = cotangents_of(case, [out], dtype)
        dtable = F.bias_backward(_cast(dout, dtype), given["index"], len(given["table"]))
        return {"out": out, "dtable": dtable}
    out, cache = getattr(F, f"{case.name}_forward")(**given, **case.options)
    several = isinstance(out, tuple)
    outs = list(out) if several else [out]
    douts = [_cast(g, dtype) for g in cotangents_of(case, outs, dtype)]
    grads = getattr(F, f"{case.name}_backward")(tuple(douts) if several else douts[0], cache)
    if not hasattr(grads, "_asdict"):
        (name,) = (name for name in case.inputs if _has_grad(case, name))
        return _name_outputs(outs) | {f"d{name}": grads}
    named = {name: g for name, g in grads._asdict().items() if g is not None}
    return _name_outputs(outs) | named


def _numpy_module(case, given, state, dtype):
    module = build(numpy_ref, case, np.dtype(dtype))
    module.load_state_dict(state)
    out = module(**given, **case.call)
    (dout,) = cotangents_of(case, [out], dtype)
    module.zero_grad()
    grads = module.backward(_cast(dout, dtype))
    names = [name for name in case.inputs if _has_grad(case, name)]
    grads = grads if isinstance(grads, tuple) else (grads,)
    grads = [grad for grad in grads if grad is not None]  # a scheme that only reads q has no dk
    results = {"out": out} | {f"d{n}": g for n, g in zip(names, grads, strict=True)}
    if case.kind == "scheme":
        results["index"] = _index(module, case)
    return results | {f"grad.{name}": p.grad for name, p in module.named_parameters()}


def _torch_op(case, given, state, dtype, device):
    out = getattr(torch_impl.ops, case.name)(**given, **case.options)
    outs = list(out) if isinstance(out, tuple) else [out]
    return outs, _name_outputs(outs)


def _torch_module(case, given, state, dtype, device):
    module = build(torch_impl, case, TORCH_DTYPES[dtype]).to(device)
    module.load_state_dict({name: torch.tensor(a) for name, a in state.items()})
    out = module(**given, **case.call)
    results = {"out": out, "parameters": list(module.named_parameters())}
    if case.kind == "scheme":
        results["index"] = _index(module, case)
    return [out], results


def _index(module, case):
    sizes = {name: value for name, value in case.call.items() if name != "index"}
    if module.looks_at_query:
        return module.make_index(*module.sizes(**sizes))
    return module.lookup(**sizes)[1]


def cotangents_of(case, outs, dtype):
    """Random normal, never ones: softmax would make the comparison blind."""
    rng = np.random.default_rng([SEED + 2, *case.id.encode()])
    return [budget.rounded(rng.standard_normal(tuple(o.shape)), dtype) for o in outs]


def _draw(spec, rng, dtype):
    if isinstance(spec, Integers):
        return rng.integers(0, spec.high, spec.shape)
    if isinstance(spec, Mask):
        return np.where(rng.random(spec.shape) < 0.3, -100.0, 0.0)
    if isinstance(spec, Dropout):
        return budget.rounded((rng.random(spec.shape) >= 0.25) / 0.75, dtype)
    return budget.rounded(spec.mean + rng.standard_normal(spec.shape), dtype)


def _weight(name, shape, rng):
    """Sizes as in a trained model: tables and biases of order one, products that keep the variance."""
    draw = rng.standard_normal(shape)
    if name.endswith(("L_multiplier", "gru_rel_pos_const")) or ("norm" in name and "weight" in name):
        return 1 + 0.3 * draw
    if name.endswith("relative_position_bias_table") or len(shape) < 2:
        return 0.7 * draw
    return draw if name.endswith("logit_scale") else draw / np.sqrt(np.prod(shape[1:]))


def _constructor(case):
    if case.kind != "block":
        return case.options
    return {k: v for k, v in case.options.items() if v is not None}


def _has_grad(case, name):
    return isinstance(case.inputs[name], Normal)


def _name_outputs(outs):
    return {"out": outs[0]} if len(outs) == 1 else {f"out.{n}": o for n, o in enumerate(outs)}


def _cast(a, dtype):
    return a.astype(dtype) if a.dtype.kind == "f" else a


def _array(x):
    a = x.detach().cpu()
    return a.to(torch.float64).numpy() if a.is_floating_point() else a.numpy()
