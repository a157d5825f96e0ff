"""Find a smaller call with the same fault by leaving out parts as long as the fault stays.

Hypothesis cannot do this, since it runs in the process that crashes.
"""

import ast
import re

from .call import Call, parse

MOST = 80  # calls to try for one fault


def shrink(text, fails):
    """Return the shortest call found for which fails(text) holds, as it does for `text`."""
    left, smaller = MOST, True
    while smaller and left > 0:
        smaller = False
        for candidate in _smaller(parse(text)):
            left -= 1
            if _measure(str(candidate)) < _measure(text) and fails(str(candidate)):
                text, smaller = str(candidate), True
                break
            if left <= 0:
                break
    return text


def _measure(text):
    return len(text), sum(int(digits) for digits in re.findall(r"\d+", text))


def _smaller(call):
    """Yield calls without a step, an argument or an outer function of it, or with smaller sizes."""
    if len(call.steps) > 1:
        yield _with(call, call.steps[:-1])
    for n, (name, given) in enumerate(call.steps):
        for argument, expression in given.items():
            yield _changed(call, n, name, {a: e for a, e in given.items() if a != argument})
            for inner in _inner(expression):
                yield _changed(call, n, name, given | {argument: inner})
    text = str(Call(call.steps))
    for size in sorted({int(digits) for digits in re.findall(r"\b\d+\b", text)}, reverse=True):
        for small in {1, 2, size // 2} - {size}:
            yield _with(call, parse(re.sub(rf"(?<![\w.*'-]){size}(?![\w.*'])", str(small), text)).steps)


def _inner(expression):
    """Yield simpler expressions: a call's first argument, a dict without one of its entries."""
    node = ast.parse(expression, mode="eval").body
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Call | ast.Name):
        yield ast.unparse(node.args[0])
    if isinstance(node, ast.Dict):
        for n in range(len(node.keys)):
            keys, values = node.keys[:n] + node.keys[n + 1 :], node.values[:n] + node.values[n + 1 :]
            yield ast.unparse(ast.Dict(keys, values))


def _changed(call, n, name, given):
    return _with(call, (*call.steps[:n], (name, given), *call.steps[n + 1 :]))


def _with(call, steps):
    left = {"sizes", "backward"}.union(*(given for _, given in steps))
    return Call(tuple(steps), tuple(how for how in call.spoilt if how.partition(":")[0] in left))
