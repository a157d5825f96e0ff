"""A kind of kernel: its arguments and results, the cases it is judged by, and its known bugs."""

from dataclasses import dataclass, field, replace

from ..cases import Case
from ..run import given_of
from ..verdict import moved_in, truth_of
from .words import counted, listed

MISFITS = {"with": "which the function does not take", "without": "which the function needs"}


@dataclass(frozen=True)
class Question:
    """A case in one precision: what a kernel gets, and what it should return.

    arguments: {name: array or number}; floats are float64 arrays of values that the dtype can hold.
    dout: the gradient of the output, or None where nothing has a gradient.
    truth: {name: array}, float64 or integers; the first is the output. costs: {name: Yardstick}.
    moved: names of the results that are only copied, and so equal bit for bit.
    context: what the reference gets besides the arguments, for the sake of the mistakes.
    none: the array that a kernel may return None for as its output; None if it may not.
    """

    case: Case
    dtype: str
    arguments: dict
    dout: object
    truth: dict
    costs: dict
    moved: frozenset = frozenset()
    context: dict = field(default_factory=dict)
    none: object = None

    @property
    def wanted(self):
        """Return the names of the arguments whose gradients are asked for."""
        return [name[1:] for name in self.truth if name != "out"]

    def asked_of(self, reference):
        """Return the reference of the kind, or a mistake, with these arguments."""
        return reference(self.dout, **self.arguments, **self.context)


@dataclass(frozen=True)
class Kind:
    """A kind of kernel.

    name: of the kind, for --kind. about: what a kernel of it computes, in a line.
    arguments: {name: meaning and shape}. axes: {result: names of its axes}; the first is the output.
    cases: rows of the table; those with an argument that is not in `arguments` are not asked.
    reference: class with the definition in small steps; `result(name)` gives a result. mistakes: its
        subclasses, a known bug each, which the docstring describes.
    defaults: {argument: value} of what a case leaves out and a kernel may need all the same.
    scheme: the one scheme whose cases these are, or None.
    steps: its subclasses that compute a step in the dtype of a `rounding`, see `precision`.
    features: {words: function of a Question}: what some cases have, see `pattern`.
    """

    name: str
    about: str
    arguments: dict
    axes: dict
    cases: tuple
    reference: type
    mistakes: tuple
    steps: tuple = ()
    defaults: dict = field(default_factory=dict)
    scheme: str | None = None
    features: dict = field(default_factory=dict)

    def of_scheme(self, scheme):
        """Return the kind with the cases whose index belongs to one scheme, or with all for None.

        Raises ValueError, with a list of the schemes, if there are none.
        """
        if scheme is None:
            return self
        own = tuple(case for case in self.cases if self.scheme_of(case) == scheme)
        if not own:
            known = ", ".join(dict.fromkeys(filter(None, map(self.scheme_of, self.cases))))
            expected = f"expected one of {known}" if known else "expected none"
            raise ValueError(f"scheme is {scheme!r}, {expected} for the kind {self.name!r}")
        return replace(self, cases=own, scheme=scheme)

    def scheme_of(self, case):
        """Return the scheme that the case's index belongs to, or None."""
        return getattr(case.inputs.get("index"), "scheme", None)

    def questions(self, dtype, takes, needs=(), quick=False):
        """Return a `Question` per case whose arguments are all in `takes`; quick: small cases only.

        takes: the names of the kernel's arguments, None if it takes any. needs: those without which it
            cannot be called.
        """
        return [self.question(case, dtype) for case in self.fitting(takes, needs, quick)]

    @property
    def takes_floats(self):
        """Whether its functions take arrays of floats; the others compute integers, or a mask."""
        return any(case.inputs for case in self.cases)

    def fitting(self, takes, needs=(), quick=False):
        """Return the cases that `questions` asks, with the arguments that the kernel gets."""
        fit = [case for case, names in self._misfits(takes, needs) if not names]
        return [case for case in fit if not (quick and self.is_large(case))]

    def left_out(self, takes, needs=()):
        """Return, in words, how many cases `questions` leaves out, and for want of which arguments."""
        found = [misfit for _, misfit in self._misfits(takes, needs) if misfit]
        return [
            f"{counted(len(sets), 'case')} {which} {self._any_of(sets)}, {reason}"
            for which, reason in MISFITS.items()
            if (sets := [names for of, names in found if of == which])
        ]

    def _any_of(self, sets):
        """Return "a and b" where all sets of arguments are {a, b}, else "a, b or c" of all of them."""
        names = [name for name in self.arguments if any(name in each for each in sets)]
        return listed(names, "and" if all(len(each) == len(names) for each in sets) else "or")

    def asked(self, case, takes, needs):
        """Return the case with the arguments that a kernel of these arguments gets."""
        lacking = {*needs} - {*case.inputs, *case.options}
        left_out = {name: value for name, value in self.defaults.items() if name in lacking}
        return replace(case, options=left_out | case.options) if left_out else case

    def _misfits(self, takes, needs):
        """Return [(case as it is asked, why it is not asked)] of the cases that are the kind's."""
        takes = self.arguments if takes is None else takes
        own = [c for c in self.cases if {*c.inputs, *c.options} <= self.arguments.keys()]
        asked = [self.asked(case, takes, needs) for case in own]
        return [(case, self._misfit(case, takes, needs)) for case in asked]

    def _misfit(self, case, takes, needs):
        """Return a key of MISFITS and the arguments for which the case is not asked, or None."""
        given = {*case.inputs, *case.options}
        if lacking := given - set(takes):
            return "with", lacking
        absent = set(needs) - given
        return ("without", absent) if absent else None

    def question(self, case, dtype):
        """Return the `Question` of a case."""
        given, (truth, costs) = given_of(case, dtype), self.truth(case, dtype)
        (dout,) = given.cotangents([truth["out"]])
        arguments = given.inputs | self.options(case)
        moved = frozenset(self.moved(case))
        return Question(case, dtype, arguments, dout, truth, costs, moved, self.context(case, dtype))

    def options(self, case):
        """Return the arguments of a case that are no arrays."""
        return case.options

    def truth(self, case, dtype):
        """Return the results, {name: array}, and their {name: Yardstick}."""
        return truth_of(case, dtype)

    def moved(self, case):
        """Return the names of the results that are only copied."""
        return moved_in(case)

    def accepted(self, results, question):
        """Return a kernel's results in the form of the truth, where the kind allows several forms."""
        return results

    def context(self, case, dtype):
        """Return what the reference gets besides the arguments."""
        return {}

    def is_large(self, case):
        """Return whether --quick leaves the case out."""
        return False

    def remarks(self, answers):
        """Return lines on the wrong answers, besides the diagnoses."""
        return []
