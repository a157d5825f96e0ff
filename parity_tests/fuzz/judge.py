"""Make a call on every side and report what is wrong with the results.

A side's trace is the list of its steps, each with its result or the exception that ended the call.
"""

import re
import traceback
import warnings
from dataclasses import dataclass

import numpy as np
import torch

import numpy_ref.kernels.machine.buffers as buffers

from .. import budget
from . import guarded
from .call import evaluate
from .sides import UnlikeError, names_of, sides_of
from .vocabulary import OtherTwin

REFUSALS = (TypeError, ValueError)
DOCUMENTED = {"train_step": (FloatingPointError,)}
FLOAT32 = 1e-3  # for gross errors only; the parity tests check the precision of float32
STRICT = ("float('nan')", "np.float64('nan')", "-1", "-1.0")
LOOKUP = re.compile(r"(score|value)_lookup\(|value_embedding=|resize_(table|pos_embed)\(")
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Step:
    name: str
    result: object = None
    error: Exception | None = None
    names: frozenset = frozenset()

    @property
    def kind(self):
        """The name of the step's outcome in the counts."""
        return "accepted" if self.error is None else type(self.error).__name__


@dataclass(frozen=True)
class Fault:
    """A fault; kind: what is wrong; where: side and step; detail: a text for the reader."""

    kind: str
    where: str
    detail: str


def judge(target, call, note=lambda text: None):
    """Make the call on every side; return (traces {side: [Step]}, faults).

    note: called with the name of each step before it is made.
    """
    traces, found = {}, []
    for name, side in sides_of(target.name, target.kind).items():
        try:
            traces[name], wrong = _trace(name, side, target, call, note)
        except UnlikeError:
            continue
        found += wrong
    for one, other in (("ops", "kernels"), ("ops", "torch")):
        if one in traces and other in traces and not _in_half(traces[other]):
            found += _compared(one, traces[one], other, traces[other], call)
    if (plain := call.plain()) is not None:
        found += _as_plain(target, plain, traces, note)
    for side, trace in traces.items():
        found += _wrongly_decided(side, trace[-1], target, call)
    return traces, found


def _trace(name, side, target, call, note):
    steps, found, names = [], [], set()
    for step, arguments in call.steps:
        if step == "backward" and not side.has_backward:
            break
        given = evaluate(arguments, side.bound)
        names |= names_of(side, step, arguments)  # of earlier steps too, as a module's window_size
        names |= set(re.findall(r"'(\w+)':", " ".join(arguments.values())))  # keys of rpb_kwargs
        before = {a: _copies(v) for a, v in given.items()}
        note(f"{name} {step}")
        try:
            done = Step(step, _run(name, side, step, given), names=frozenset(names))
        except (UnlikeError, KeyboardInterrupt):
            raise
        except Exception as error:
            done = Step(step, error=error, names=frozenset(names))
        steps.append(done)
        if not _unready(target, steps, done):
            found += _exception(name, done)
        found += _modified(name, done, target, given, before)
        if done.error is not None:
            break
    return steps, found


def _unready(target, steps, done):
    """Return whether this is the documented RuntimeError of a backward without its forward."""
    made = [step.name for step in steps[:-1]]
    ready = target.kind == "op" or made.count("forward") > made.count("backward")
    return done.name == "backward" and not ready and type(done.error) is RuntimeError


def _run(name, side, step, given):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if name != "kernels":
            return side.run(step, given)
        with guarded.results(buffers):
            return side.run(step, given)


def _exception(side, done):
    """Report an exception of a wrong type, or a message that names no argument."""
    error = done.error
    if error is None or isinstance(error, DOCUMENTED.get(done.name, ())) or _memory(side, error):
        return []
    where, detail = f"{side} {done.name}", f"{type(error).__name__}: {str(error)[:160]}"
    if not isinstance(error, REFUSALS):
        return [Fault(type(error).__name__, where, detail + _origin(error))]
    names = "|".join(map(re.escape, done.names))
    if names and re.search(rf"\b({names})\b", str(error)):
        return []
    return [Fault("no name", where, detail + _origin(error))]


def _memory(side, error):
    """Return whether memory was too small; PyTorch raises a plain RuntimeError for that."""
    says_so = re.search("allocate memory|not enough memory", str(error))
    return isinstance(error, MemoryError) or (
        side == "torch" and type(error) is RuntimeError and says_so
    )


def _origin(error):
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"  ({frame.filename.rpartition('/')[2]}:{frame.lineno})"


def _modified(side, done, target, given, before):
    """Report arguments whose arrays were changed."""
    return [
        Fault("modified", f"{side} {done.name}", f"{name} was changed ({done.kind})")
        for name, value in given.items()
        if not _same(before[name], _copies(value)) and not _may_change(name, value, target, done)
    ]


def _may_change(name, value, target, done):
    """Return whether the argument is updated in place; never if refused or read-only."""
    return name in target.written and done.error is None and value.flags.writeable


def _copies(value):
    """Return copies of all arrays in a value, as a list."""
    if isinstance(value, OtherTwin):
        return _copies(value.array)
    if isinstance(value, np.ndarray):
        return [np.array(np.ma.getdata(value) if np.ma.isMA(value) else value, subok=False)]
    if isinstance(value, dict):
        value = list(value.values())
    return [a for item in value for a in _copies(item)] if isinstance(value, list | tuple) else []


def _same(before, after):
    return len(before) == len(after) and all(
        a.tobytes() == b.tobytes() if a.dtype != object else True
        for a, b in zip(before, after, strict=True)
    )


def _in_half(trace):
    """Return whether a result has half precision, which only the PyTorch twin has."""
    return any(isinstance(s.result, torch.Tensor) and s.result.dtype in HALF for s in trace)


def _compared(one, trace, other, peer, call):
    """Report where two sides differ: one refuses, other types of errors, other results."""
    found, single, narrow = [], len(call.spoilt) <= 1, "float32" in str(call)
    own_cache = any(spoilt.startswith("cache:") for spoilt in call.spoilt)
    for a, b in zip(trace, peer, strict=False):
        if a.name == "backward" and own_cache:  # the sides' caches have different contents
            break
        where = f"{one}/{other} {a.name}"
        if _nothing_is_read(a, b):
            return found
        if (a.error is None) != (b.error is None):
            texts = (f"{side}: {s.error or 'accepts'}" for side, s in ((one, a), (other, b)))
            return [*found, Fault("one accepts", where, "; ".join(texts))]
        if a.error is not None:
            if single and type(a.error) is not type(b.error):
                texts = (f"{s.kind}: {s.error}" for s in (a, b))
                found.append(Fault("other type", where, "; ".join(texts)))
            return found
        torch_overflows = other == "torch" and narrow and "1e30" in str(call)
        spreads = _spreads(call)
        wrong = difference(a.result, b.result, narrow, other == "torch", spreads)
        if wrong and not torch_overflows:
            return [*found, Fault("differs", where, wrong)]
    return found


def _spreads(call):
    """Return whether a product with all rows of an embedding may give 0 · ∞ = NaN from an unused row."""
    return bool(LOOKUP.search(str(call)) and re.search(r"np\.(nan|inf)", str(call)))


def _nothing_is_read(ours, theirs):
    """Return whether PyTorch missed a wrong index since its result is empty and it read no entry."""
    wrong_index = re.match(r"(value_)?index has entries", str(ours.error or ""))
    return wrong_index and isinstance(theirs.result, torch.Tensor) and not theirs.result.numel()


def _as_plain(target, plain, traces, note):
    """Report where an accepted spelling of the same values gives another result."""
    found, narrow = [], "float32" in str(plain)
    for name, side in sides_of(target.name, target.kind).items():
        if name not in traces:
            continue
        expected, _ = _trace(name, side, target, plain, lambda text: note(f"plain {text}"))
        for a, b in zip(expected, traces[name], strict=False):
            both = a.error is None and b.error is None
            if both and (wrong := difference(a.result, b.result, narrow, any_type=True)):
                found.append(Fault("spelling", f"{name} {a.name}", wrong))
                break
    return found


def _wrongly_decided(side, last, target, call):
    """Report a valid call that was refused, or a NaN or −1 that was accepted."""
    where = f"{side} {last.name}"
    if not call.spoilt and last.error is not None:
        return [Fault("valid refused", where, str(last.error)[:160])]
    odd = [spoilt for spoilt in call.spoilt if spoilt.partition(":")[2] in STRICT]
    if target.strict and odd and last.error is None:
        return [Fault("accepted", where, f"{odd[0]} is not a valid number")]
    return []


def difference(a, b, narrow=False, any_type=False, spreads=False):
    """Return what differs between two results, in words, or None.

    narrow: compare as float32. any_type: allow other array types.
    spreads: b may be not finite where a is.
    """
    if isinstance(a, tuple | list):
        if not isinstance(b, tuple | list) or len(a) != len(b):
            return f"{len(a)} results and {type(b).__name__}"
        parts = (difference(x, y, narrow, any_type, spreads) for x, y in zip(a, b, strict=True))
        return next((f"[{n}] {part}" for n, part in enumerate(parts) if part), None)
    if a is None or b is None or isinstance(a, dict | str):
        return None if a is None and b is None else f"{type(a).__name__} and {type(b).__name__}"
    a, b = (np.asarray(x.detach()) if isinstance(x, torch.Tensor) else x for x in (a, b))
    arrays = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    if arrays and not any_type and type(a) is not type(b):
        return f"{type(a).__name__} and {type(b).__name__}"
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or (a.dtype != b.dtype and a.ndim):
        return f"{a.dtype}{a.shape} and {b.dtype}{b.shape}"
    if a.dtype.kind != "f":
        return None if np.array_equal(a, b) else "other integers"
    finite = np.isfinite(a) & np.isfinite(b) if spreads else np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return f"finite at {int(finite.sum())} and {int(np.isfinite(b).sum())} places of {a.size}"
    narrow = narrow or np.float32 in (a.dtype, b.dtype)
    with np.errstate(all="ignore"):
        row = budget.float64("result", a[finite], b[finite], FLOAT32 if narrow else budget.FLOAT64)
    return None if row.ok else f"off by {row.max_error:.3g}, {row.budget_share:.3g} times the tolerance"
