"""A user's kernel, called with arrays of its library; the results are NumPy arrays."""

import sys
from dataclasses import dataclass, field

import numpy as np

from .arrays import first, library_of, open_library
from .load import backward_of, load, signature_of
from .trace import in_words, last_lines
from .words import counted

NOT_RETURNED = "not returned"
NO_PATH = "no gradient: the output does not depend on the argument, or is detached from it"


@dataclass
class Returned:
    """What a kernel returned for a question.

    results: {name: array}, floats as float64. dtypes: {name: dtype}, as the kernel returned it.
    libraries: packages of the arrays. problems: {name: what is wrong with a result besides its values},
        with "" for the call as a whole.
    trace: lines of the kernel's own code, if it raised an error.
    """

    results: dict = field(default_factory=dict)
    dtypes: dict = field(default_factory=dict)
    libraries: set = field(default_factory=set)
    problems: dict = field(default_factory=dict)
    trace: tuple = ()


class Kernel:
    """A forward function with a backward function of its own, or one that its library differentiates.

    target: "package.module:function", "path/to/file.py:function", or the function itself; also an object
        with __call__, a torch.nn.Module, an operator of PyTorch. Its backward is the function of the
        same name with "_backward", if there is one: it is called with dout and what forward returned
        beside the output, or with dout and forward's arguments if that is only the output. It returns
        the gradients by name (a dict or a NamedTuple) or in the order of forward's arguments.
    library: one of `LIBRARIES`; None for the one that the module imports. device: of the library.
    Raises ValueError, naming what was not found.
    """

    def __init__(self, target, library=None, device=None):
        if isinstance(target, str):
            self.forward, self.backward, module = load(target)
            self.name = target
        else:
            places = (getattr(target, "__module__", None), type(target).__module__)
            module = next(sys.modules[place] for place in places if place in sys.modules)
            name = getattr(target, "__name__", type(target).__name__)
            self.forward, self.backward = target, backward_of(target, module, name)
            self.name = f"{module.__name__}:{name}"
        self.library_name = library or library_of(self.forward, module)
        self.library = open_library(self.library_name, device)
        self.signature = signature_of(self.forward)

    @property
    def takes(self):
        """The names of the arguments; None if it takes any."""
        return None if self.signature.anything else self.signature.names

    @property
    def needs(self):
        """The names of the arguments that have no default."""
        return self.signature.needs

    @property
    def differentiable(self):
        """Whether there are gradients to check."""
        return self.backward is not None or self.library.differentiates

    def results(self, question):
        """Return {"out": …, "dq": …, …} for a `Question`, as float64 arrays (or integers).

        Raises what the kernel raises; results that are no arrays are left out.
        """
        out, grads = self._called(self._arrays(question), question)
        return self._judged({"out": out} | grads, question).results

    def answer(self, question):
        """Return what the kernel makes of a question as `Returned`; an error of its own is a problem."""
        given = self._arrays(question)
        try:
            out, grads = self._called(given, question)
            returned = self._judged({"out": out} | grads, question)
        except Exception as error:
            return Returned(problems={"": in_words(error)}, trace=last_lines(error))
        for name, value in question.arguments.items():
            if isinstance(value, np.ndarray) and not _same(self.library.numpy(given[name]), value):
                returned.problems[""] = f"the call changes its argument {name}"
        return returned

    def _arrays(self, question):
        arguments = question.arguments.items()
        return {name: self.library.array(value, question.dtype) for name, value in arguments}

    def _called(self, given, question):
        """Return the output and {name: gradient}; None for a gradient that there is not."""
        wanted = question.wanted if self.differentiable else []
        dout = self.library.array(question.dout, question.dtype)
        if self.backward is None and wanted:
            out, grads = self.library.differentiate(self._call, given, wanted, dout)
            return out, {f"d{n}": g for n, g in zip(wanted, grads, strict=True)} if grads else {}
        returned = self._call(given)
        if not wanted:
            return returned if question.dout is None else first(returned), {}
        out, *kept = returned if isinstance(returned, tuple | list) else (returned,)
        grads = self.backward(dout, *kept) if kept else self.backward(dout, **given)
        return out, self._named(grads, wanted)

    def _call(self, given):
        if not self.signature.by_position:
            return self.forward(**given)
        names, values = self.signature.names, self.signature.defaults | given
        last = max(n for n, name in enumerate(names) if name in given)
        return self.forward(*(values.get(name) for name in names[: last + 1]))

    def _named(self, grads, wanted):
        """Return {name: gradient} of what backward returned; raises ValueError if it fits no names."""
        if hasattr(grads, "_asdict"):
            grads = grads._asdict()
        if isinstance(grads, dict):
            return dict.fromkeys(f"d{name}" for name in wanted) | grads
        grads = grads if isinstance(grads, tuple | list) else (grads,)
        for names in (sorted(wanted, key=self._order), self.signature.names):
            if len(names) == len(grads):
                named = {f"d{name}": grad for name, grad in zip(names, grads, strict=True)}
                return {name: grad for name, grad in named.items() if name[1:] in wanted}
        names = ", ".join(f"d{name}" for name in sorted(wanted, key=self._order))
        raise ValueError(f"backward returned {counted(len(grads), 'value')}, expected {names}")

    def _order(self, name):
        return self.signature.names.index(name) if name in self.signature.names else 0

    def _judged(self, values, question):
        """Return the `Returned` of {name: array of the library}."""
        returned = Returned()
        foreign = [name for name in values if name not in question.truth]
        if any(values[name] is not None for name in foreign):
            expected = ", ".join(f"d{wanted}" for wanted in question.wanted)
            names = ", ".join(map(repr, foreign))
            returned.problems[""] = f"backward returns {names}, expected {expected}"
        for name in (name for name in question.truth if name in values):
            if values[name] is None and name != "out":
                returned.problems[name] = NO_PATH if self.backward is None else NOT_RETURNED
            elif values[name] is None and question.none is not None:
                returned.results[name] = question.none
            else:
                self._read(name, values[name], returned)
        return returned

    def _read(self, name, value, returned):
        """Write a result and its dtype into `returned`, or that it is no array."""
        returned.libraries.add(type(value).__module__.partition(".")[0].removesuffix("lib"))  # jaxlib
        try:
            returned.results[name] = self.library.numpy(value)
            returned.dtypes[name] = str(getattr(value, "dtype", "")).rpartition(".")[2]
        except (TypeError, ValueError, RuntimeError, BufferError) as error:
            returned.problems[name] = f"{type(value).__name__} is no array: {in_words(error)}"


def _same(a, b):
    return np.shape(a) == b.shape and np.array_equal(a, b, equal_nan=b.dtype.kind == "f")
