"""Calls as text: `attention(q=normal((1, 1, 2, 3)), …).backward(dout=cast(dout, 'float16'), …)`.

The first step names the target, the later ones what is done with it. An argument is a Python expression
of the functions in vocabulary.py. It is evaluated anew for each side, so that they share no arrays.
"""

import ast
import warnings
from dataclasses import dataclass

import numpy as np

from . import vocabulary

WORDS = {name: value for name, value in vars(vocabulary).items() if callable(value)} | {"np": np}
COMMENT = "  # spoilt: "


@dataclass(frozen=True)
class Call:
    """A call; steps: ((name, {argument: expression}), …); spoilt: "argument:how" per odd argument."""

    steps: tuple
    spoilt: tuple = ()

    def __str__(self):
        chain = ".".join(f"{name}({_listed(arguments)})" for name, arguments in self.steps)
        return chain + (COMMENT + "; ".join(self.spoilt) if self.spoilt else "")

    @property
    def target(self):
        return self.steps[0][0]

    def plain(self):
        """Return the call with each spelling undone; None if nothing or anything else is odd."""
        steps = tuple((name, {a: _plain(e) for a, e in given.items()}) for name, given in self.steps)
        kinds = {how.partition(":")[2] for how in self.spoilt}
        return Call(steps) if kinds and kinds <= vocabulary.SPELLINGS else None


def parse(text):
    """Parse the text of a Call."""
    chain, _, comment = text.partition(COMMENT)
    node, steps = ast.parse(chain.strip(), mode="eval").body, []
    while isinstance(node, ast.Call):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        attribute = isinstance(node.func, ast.Attribute)
        steps.insert(0, (node.func.attr if attribute else node.func.id, given))
        node = node.func.value if attribute else None
    return Call(tuple(steps), tuple(comment.split("; ")) if comment else ())


def evaluate(arguments, bound):
    """Return {argument: value}; bound: the values of earlier steps, as dout or cache."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {name: eval(text, WORDS | bound) for name, text in arguments.items()}
    except Exception as error:
        raise SenselessError(f"{type(error).__name__}: {error}") from error


class SenselessError(Exception):
    """Raised for an expression without a value, as longer(…, 1) of an array with one axis."""


def _listed(arguments):
    return ", ".join(f"{name}={text}" for name, text in arguments.items())


def _plain(expression):
    return ast.unparse(_Undo().visit(ast.parse(expression, mode="eval")))


class _Undo(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        return node.args[0] if name in vocabulary.SPELLINGS else node
