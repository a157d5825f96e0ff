"""What the command prints without a kernel: the kinds, and the cases of a kind."""

from textwrap import wrap

from .arrays import LIBRARIES
from .kinds import KINDS
from .report import WIDTH, short
from .templates import TEMPLATES

DTYPES = ("float32", "float16", "bfloat16", "float64")

BEGIN = "rpb-check judges a kernel of your own: rpb-check path/to/file.py:function --kind KIND"
END = f"""\
A function NAME takes what it knows of these arguments, by name. Cases with others are left out.
Gradients come from NAME_backward(dout, cache, …) beside it, where NAME returns (out, cache, …), or
else from PyTorch's autograd or jax.vjp.

dtypes:    {", ".join(DTYPES)} (--dtype)
libraries: {", ".join(LIBRARIES)} (found from the file's imports; --library sets it)
cases:     rpb-check --list --kind KIND
template:  rpb-check --template LIBRARY --kind KIND > mykernel.py
           ({", ".join(TEMPLATES)})
options:   rpb-check --help"""


def overview():
    """Return the kinds of kernels with their arguments and results, and how to begin."""
    kinds = [line for kind in KINDS.values() for line in ("", *_kind(kind))]
    return "\n".join([BEGIN, *kinds, "", END])


def _kind(kind):
    yield from wrap(f"{kind.name}({', '.join(kind.arguments)})", WIDTH, **_under(0))
    yield from wrap(kind.about, WIDTH, initial_indent="    ", **_under(0))
    width = max(map(len, [*kind.arguments, *kind.axes])) + 2
    for name, meaning in kind.arguments.items():
        yield from wrap(f"{name:<{width}}{meaning}", WIDTH, initial_indent=" " * 4, **_under(width))
    out, *grads = kind.axes
    yield f"    results: {out} ({', '.join(kind.axes[out])})" + "".join(f", {name}" for name in grads)


def _under(width):
    return {"subsequent_indent": " " * (width + 4), "break_on_hyphens": False}


def cases_of(kind):
    """Return a line per case of a kind: its name, the shapes of its arrays, its options."""
    cases = [(short(case.id, kind.name), case) for case in kind.fitting(tuple(kind.arguments))]
    width = max(len(name) for name, _ in cases) + 1
    lines = [f"{len(cases)} cases of the kind {kind.name}; * left out by --quick"]
    for name, case in cases:
        shapes = [f"{n} {_shape(spec.shape)}" for n, spec in case.inputs.items()]
        options = [f"{n}={value}" for n, value in case.options.items()]
        mark = "*" if kind.is_large(case) else " "
        lines += _folded([*shapes, *options], f"{mark} {name:<{width}}")
    return "\n".join(lines)


def _shape(shape):
    return "×".join(map(str, shape))


def _folded(words, begin):
    """Return lines that begin with `begin` or as many spaces, each with as many words as fit."""
    lines = [begin]
    for n, word in enumerate(words):
        word += "," if n < len(words) - 1 else ""
        if len(lines[-1]) + len(word) >= WIDTH and lines[-1].strip() != begin.strip():
            lines.append(" " * len(begin))
        lines[-1] += f" {word}"
    return lines
