"""Run a case in the PyTorch twin -> {name: array}, with the same names as `run.run_numpy`."""

import torch

import torch_impl
import torch_impl.ops

from .run import MODULES, build, has_grad, index_of, name_outputs

TORCH_DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "float16", "bfloat16")}


def run_torch(given, dtype=None, device="cpu"):
    """Run the case in the PyTorch twin; return {name: array}, floats as float64.

    dtype: name of a dtype, by default that of `given`.
    """
    case, kind = given.case, TORCH_DTYPES[dtype or given.dtype]
    inputs = {}
    for name, a in given.inputs.items():
        inputs[name] = torch.tensor(a, dtype=kind if a.dtype.kind == "f" else torch.int64, device=device)
        inputs[name].requires_grad_(has_grad(case, name))
    run = _run_module if case.kind in MODULES else _run_function
    outs, results, parameters = run(given, inputs, kind, device)
    cotangents = [torch.tensor(g).to(o) for g, o in zip(given.cotangents(outs), outs, strict=True)]
    differentiable = [(o, g) for o, g in zip(outs, cotangents, strict=True) if o.requires_grad]
    if differentiable:
        torch.autograd.backward(*zip(*differentiable, strict=True))
    results |= {f"d{name}": x.grad for name, x in inputs.items() if x.grad is not None}
    # A gradient is None if the output does not depend on the parameter (Shaw's values and the scores).
    results |= {f"grad.{n}": torch.zeros_like(p) if p.grad is None else p.grad for n, p in parameters}
    return {name: _array(x) for name, x in results.items()}


def _run_function(given, inputs, kind, device):
    module = torch_impl.ops if given.case.kind == "op" else torch_impl
    out = getattr(module, given.case.name)(**inputs, **given.case.options)
    outs = list(out) if isinstance(out, tuple) else [out]
    return outs, name_outputs(outs), []


def _run_module(given, inputs, kind, device):
    case = given.case
    module = build(torch_impl, case, kind).to(device)
    module.load_state_dict({name: torch.tensor(a) for name, a in given.state.items()})
    out = module(**inputs, **case.call)
    outs = out if isinstance(out, list) else [out]
    results = name_outputs(outs)
    if case.kind == "attention":
        results["weights"] = module.attention_weights(**inputs, **case.call)
    if case.kind == "scheme":
        results["index"] = index_of(module, case)
    return outs, results, list(module.named_parameters())


def _array(x):
    a = x.detach().cpu()
    return a.to(torch.float64).numpy() if a.is_floating_point() else a.numpy()
