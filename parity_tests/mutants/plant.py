"""All small bugs that can be planted in a source: each replaces a piece of its text."""

import ast
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

OPERATORS = {
    ast.Add: "+-", ast.Sub: "-+", ast.Mult: "*/", ast.Div: "/*", ast.BitAnd: "&|", ast.BitOr: "|&",
    ast.FloorDiv: ("//", "*"), ast.Mod: "%*", ast.Pow: ("**", "*"), ast.And: ("and", "or"),
    ast.Or: ("or", "and"), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"), ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
KINDS = {
    "operator": (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp),
    "number": (ast.Constant,),
    "condition": (ast.If, ast.IfExp, ast.While, ast.comprehension),
    "slice": (ast.Slice,),
    "argument": (ast.Call,),
    "statement": (ast.Expr, ast.Assign, ast.AugAssign),
}
# Nodes whose change would alter only messages or imports.
LEFT_ALONE = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """The source of a file with its bytes from `start` to `end` replaced by `now`."""

    file: str
    function: str
    source: str
    start: int
    end: int
    now: str
    kind: str

    @cached_property
    def text(self):
        raw = self.source.encode()
        return (raw[: self.start] + self.now.encode() + raw[self.end :]).decode()

    @cached_property
    def lines(self):
        """(original, mutated) text of the changed lines, with single spaces."""
        raw = self.source.encode()
        first = raw.rfind(b"\n", 0, self.start) + 1
        last = raw.find(b"\n", self.end)
        before, middle, after = raw[first : self.start], raw[self.start : self.end], raw[self.end : last]
        was, now = before + middle + after, before + self.now.encode() + after
        return tuple(" ".join(line.decode().split()) for line in (was, now))

    @property
    def key(self):
        return (self.file, self.function, *self.lines)

    def changes_something(self):
        """Return whether the mutant is valid Python with another syntax tree."""
        try:
            return ast.dump(ast.parse(self.text)) != ast.dump(ast.parse(self.source))
        except SyntaxError:
            return False


def mutants_of(file, source):
    """Yield all mutants of the source, in source order."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def begin(node):
        return starts[node.lineno - 1] + node.col_offset

    def end(node):
        return starts[node.end_lineno - 1] + node.end_col_offset

    def text(node):
        return ast.get_source_segment(source, node)

    def between(left, right, operator):
        was, now = OPERATORS[type(operator)]
        gap = source.encode()[end(left) : begin(right)].decode()
        return end(left), begin(right), gap.replace(was, now, 1)

    def walk(node, owner, prefix):
        if isinstance(node, LEFT_ALONE):
            return
        for first, last, now in changes(node, begin, end, text, between):
            kind = next(kind for kind, types in KINDS.items() if isinstance(node, types))
            yield Mutant(file, owner, source, first, last, now, kind)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            owner = prefix + node.name
            prefix = f"{owner}.<locals>." if isinstance(node, ast.FunctionDef) else f"{owner}."
        for child in _behaviour(node):
            yield from walk(child, owner, prefix)

    yield from walk(ast.parse(source), "", "")


def _behaviour(node):
    """Yield the child nodes, without annotations and decorators."""
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            yield from (
                n for n in (value if isinstance(value, list) else [value]) if isinstance(n, ast.AST)
            )


def changes(node, begin, end, text, between):
    """Yield (start, end, replacement) of each bug of this node itself, without its children."""

    def replaced(part, now):
        return begin(part), end(part), now

    match node:
        case ast.BinOp(left, ast.MatMult(), right):
            yield replaced(node, f"({text(right)} @ {text(left)})")
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield between(left, right, operator)
        case ast.BoolOp(operator, values):
            yield from (between(a, b, operator) for a, b in pairwise(values))
        case ast.Compare(left, operators, others):
            sides = [left, *others]
            yield from (between(*sides[n : n + 2], each) for n, each in enumerate(operators))
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield replaced(node, f"({text(operand)})")
        case ast.Constant(bool(value)):
            yield replaced(node, str(not value))
        case ast.Constant(int(value)):
            yield from (replaced(node, number) for number in (f"{value + 1}", f"({value - 1})"))
        case ast.Constant(float(value)):
            yield replaced(node, repr(2 * value or 1.0))
        case ast.If() | ast.IfExp() | ast.While():
            yield from (replaced(node.test, now) for now in (f"not ({text(node.test)})", "False"))
        case ast.comprehension(ifs=ifs):
            yield from (replaced(condition, "True") for condition in ifs)
        case ast.Slice():
            for bound in filter(None, (node.lower, node.upper, node.step)):
                yield replaced(bound, "")
                yield replaced(bound, f"{text(bound)} + 1")
        case ast.Call(_, arguments, keywords):
            yield from (replaced(k.value, "None") for k in keywords if k.arg and text(k.value) != "None")
            for left, right in pairwise(arguments):
                a, b = text(left), text(right)
                if not a.startswith('"'):  # a literal is probably a name for a message
                    yield from (replaced(left, b), replaced(right, a))
                    yield begin(left), end(right), f"{b}, {a}"
        case ast.Expr(ast.Call()):
            yield replaced(node, "pass")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield replaced(node, "pass")
        case ast.AugAssign(target, _, value):
            yield replaced(node, f"{text(target)} = {text(value)}")
