"""Run a case in the NumPy twin -> {name: array}: "out", "d<input>", "grad.<parameter>", "index", …

The inputs are drawn here, the same for all sides, and rounded to the dtype, so that rounding the inputs
is not counted as an error. `run_torch` runs the same in the PyTorch twin.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import numpy_ref
import numpy_ref.resize
from numpy_ref.dispatch import F

from . import budget
from .cases import Case, Denormal, Dropout, Fixed, Integers, Mask, Normal

MODULES = {
    "scheme": "RelativePositionBias",
    "attention": "MultiHeadAttention",
    "block": "Block",
    "vit": "VisionTransformer",
    "swin_block": "SwinTransformerBlock",
    "swin": "SwinTransformer",
}
SMALLEST_NORMAL = {
    "float64": 2.0**-1022,
    "float32": 2.0**-126,
    "float16": 2.0**-14,
    "bfloat16": 2.0**-126,
}


def generator_of(case, purpose):
    """Return the generator that draws a case's inputs, weights or cotangents."""
    return np.random.default_rng([case.seed, *f"{case.id} {purpose}".encode()])


@dataclass(frozen=True)
class Given:
    """A case's inputs and weights, {name: array}; `state` is {} but for a module.

    Floats are float64 arrays of values that `dtype` can hold; integers are int64.
    """

    case: Case
    dtype: str
    inputs: dict
    state: dict
    draws: Callable = generator_of

    def cotangents(self, outs):
        """Return a random gradient for each output; with ones, all gradients behind a softmax are 0."""
        rng = self.draws(self.case, "cotangents")
        return [_draw(self.case.dout or Normal(tuple(o.shape)), rng, self.dtype) for o in outs]


def given_of(case, dtype, draws=generator_of):
    """Draw a case's inputs and random, non-zero weights, rounded to the dtype.

    draws(case, purpose): return what draws them, with the methods of `np.random.Generator`.
    """
    rng = draws(case, "inputs")
    inputs = {name: _draw(spec, rng, dtype) for name, spec in case.inputs.items()}
    if case.kind not in MODULES:
        return Given(case, dtype, inputs, {}, draws)
    rng = draws(case, "weights")
    shapes = {name: a.shape for name, a in build(numpy_ref, case, np.float64).state_dict().items()}
    state = {name: budget.rounded(_weight(name, shape, rng), dtype) for name, shape in shapes.items()}
    return Given(case, dtype, inputs, state, draws)


def build(twin, case, dtype):
    """Build the case's module in one twin, with the same seed for dropout in both."""
    generator = np.random.default_rng(case.seed)
    return getattr(twin, MODULES[case.kind])(
        **_constructor(case), dtype=dtype, generator=generator
    ).train()


def run_numpy(given, dtype=None, implementation="numba", arithmetic=None):
    """Run the case in the NumPy twin and return {name: array}.

    dtype: "float64" or "float32", by default that of `given`.
    arithmetic: a `rounded.RandomRounding` or `vectors.precise.FiftyDigits`; then plain NumPy computes
        on arrays of float64 that have this arithmetic.
    """
    dtype = dtype or given.dtype
    if arithmetic:
        dtype, implementation = "float64", arithmetic.ops
    with numpy_ref.use_ops(implementation):
        run = {"op": _run_op, "function": _run_function}.get(given.case.kind, _run_module)
        results = run(given, lambda a: _cast(a, dtype, arithmetic), np.dtype(dtype), arithmetic)
    # a table's gradient is computed in float32 and rounded once, when added to the parameter's
    return (
        {name: arithmetic.mark(np.asarray(a)) for name, a in results.items()} if arithmetic else results
    )


def _run_op(given, cast, dtype, arithmetic):
    case, inputs = given.case, {name: cast(a) for name, a in given.inputs.items()}
    if case.name == "bias":  # its backward takes index and number of rows instead of a cache
        out = F.bias_forward(**inputs)
        (dout,) = given.cotangents([out])
        return {"out": out, "dtable": F.bias_backward(cast(dout), inputs["index"], len(inputs["table"]))}
    out, cache = getattr(F, f"{case.name}_forward")(**inputs, **case.options)
    several = isinstance(out, tuple)
    outs = list(out) if several else [out]
    douts = [cast(g) for g in given.cotangents(outs)]
    grads = getattr(F, f"{case.name}_backward")(tuple(douts) if several else douts[0], cache)
    if not hasattr(grads, "_asdict"):
        (name,) = (name for name in case.inputs if has_grad(case, name))
        return name_outputs(outs) | {f"d{name}": grads}
    named = {name: g for name, g in grads._asdict().items() if g is not None}
    return name_outputs(outs) | named


def _run_function(given, cast, dtype, arithmetic):
    case, ((name, a),) = given.case, given.inputs.items()
    out = getattr(numpy_ref.resize, case.name)(cast(a), **case.options)
    (dout,) = given.cotangents([out])
    grad = getattr(numpy_ref.resize, f"{case.name}_backward")(cast(dout), **case.options)
    return {"out": out, f"d{name}": grad}


def _run_module(given, cast, dtype, arithmetic):
    case, inputs = given.case, {name: cast(a) for name, a in given.inputs.items()}
    module = build(numpy_ref, case, dtype)
    module.load_state_dict(given.state)
    if arithmetic:
        arithmetic.mark_weights(module)
    out = module(**inputs, **case.call)
    outs = out if isinstance(out, list) else [out]
    douts = [cast(g) for g in given.cotangents(outs)]
    module.zero_grad()
    grads = module.backward(douts if isinstance(out, list) else douts[0])
    names = [name for name in case.inputs if has_grad(case, name)]
    grads = grads if isinstance(grads, tuple) else (grads,)
    grads = [grad for grad in grads if grad is not None]  # a scheme that only reads q has no dk
    results = name_outputs(outs) | {f"d{n}": g for n, g in zip(names, grads, strict=True)}
    results |= {f"grad.{name}": p.grad for name, p in module.named_parameters()}
    if case.kind == "attention":
        results["weights"] = module.attention_weights(**inputs, **case.call)
    if case.kind == "scheme":
        results["index"] = index_of(module, case)
    return results


def index_of(module, case):
    """Return the index that a scheme of either twin used in the case."""
    sizes = {name: value for name, value in case.call.items() if name != "index"}
    if module.looks_at_query:
        return module.make_index(*module.sizes(**sizes))
    return module.lookup(**sizes)[1]


def has_grad(case, name):
    """Return whether the gradient of this input is compared."""
    return isinstance(case.inputs[name], Normal | Denormal)


def name_outputs(outs):
    return {"out": outs[0]} if len(outs) == 1 else {f"out.{n}": o for n, o in enumerate(outs)}


def _draw(spec, rng, dtype):
    if isinstance(spec, Fixed):
        return budget.rounded(spec.values, dtype) if spec.values.dtype.kind == "f" else spec.values
    if isinstance(spec, Integers):
        return rng.integers(0, spec.high, spec.shape)
    if isinstance(spec, Mask):
        return np.where(rng.random(spec.shape) < 0.3, -100.0, 0.0)
    if isinstance(spec, Dropout):
        return budget.rounded((rng.random(spec.shape) >= 0.25) / 0.75, dtype)
    if isinstance(spec, Denormal):
        return budget.rounded((2 * rng.random(spec.shape) - 1) * SMALLEST_NORMAL[dtype], dtype)
    if spec.signs:
        return np.multiply.outer(
            spec.signs, _draw(Normal(spec.shape[1:], spec.mean, spec.std), rng, dtype)
        )
    if spec.spaced:
        order = np.argsort(rng.random(spec.shape), 0)
        return budget.rounded(spec.mean + spec.std * (2 * order / (len(order) - 1) - 1), dtype)
    drawn = spec.mean + spec.std * rng.standard_normal(spec.shape)
    return budget.rounded(np.rint(drawn) if spec.whole else drawn, dtype)


def _weight(name, shape, rng):
    """Draw a weight of the size in a trained model: tables near 1, matrices that keep the variance."""
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


def _cast(a, dtype, arithmetic):
    if a.dtype.kind != "f":
        return a
    return arithmetic.mark(a.astype(dtype)) if arithmetic else a.astype(dtype)
