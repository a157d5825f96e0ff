"""A kind of kernel: its arguments and results, the cases it is judged by, and its known bugs."""

from dataclasses import dataclass, field

from ..cases import Case
from ..run import given_of
from ..verdict import moved_in, truth_of


@dataclass(frozen=True)
class Question:
    """A case in one precision: what a kernel gets, and what it should return.

    arguments: {name: array or number}; floats are float64 arrays of values that the dtype can hold.
    dout: the gradient of the output, or None where nothing has a gradient.
    truth: {name: array}, float64 or integers; the first is the output. costs: {name: Yardstick}.
    moved: names of the results that are only copied, and so equal bit for bit.
    context: what the reference gets besides the arguments, for the sake of the mistakes.
    """

    case: Case
    dtype: str
    arguments: dict
    dout: object
    truth: dict
    costs: dict
    moved: frozenset = frozenset()
    context: dict = field(default_factory=dict)

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
    steps: its subclasses that compute a step in the dtype of a `rounding`, see `precision`.
    """

    name: str
    about: str
    arguments: dict
    axes: dict
    cases: tuple
    reference: type
    mistakes: tuple
    steps: tuple = ()

    def questions(self, dtype, takes, needs=(), quick=False):
        """Return a `Question` per case whose arguments are all in `takes`; quick: small cases only.

        needs: the arguments without which the kernel cannot be called.
        """
        takes = set(takes) & self.arguments.keys()
        fit = [c for c in self.cases if set(needs) <= {*c.inputs, *c.options} <= takes]
        return [self.question(case, dtype) for case in fit if not (quick and self.is_large(case))]

    def question(self, case, dtype):
        """Return the `Question` of a case."""
        given, (truth, costs) = given_of(case, dtype), truth_of(case, dtype)
        (dout,) = given.cotangents([truth["out"]])
        arguments = given.inputs | case.options
        moved = frozenset(moved_in(case))
        return Question(case, dtype, arguments, dout, truth, costs, moved, self.context(case, dtype))

    def context(self, case, dtype):
        """Return what the reference gets besides the arguments."""
        return {}

    def is_large(self, case):
        """Return whether --quick leaves the case out."""
        return False
