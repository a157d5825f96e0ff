"""What a diagnosis does not say: calls and the rows they return, and `check_index`'s report."""

import numpy as np

from ...check_index import check_index
from .schemes import SCHEMES

# The conventions of `check_index`, by the scheme whose index it is for a window of its own.
CONVENTIONS = {
    **dict.fromkeys(("1d", "2d", "3d", "maxvit", "log_cpb", "rel_pos_mlp", "dynamic"), "swin"),
    **dict.fromkeys(("alibi2d", "dynamic_1d", "transformer_xl", "sandwich"), "swin"),
    **dict.fromkeys(("alibi", "kerple"), "swin"),
    **{"levit": "levit", "decomposed": "decomposed", "halo": "decomposed", "t5": "t5", "gated_t5": "t5"},
}
# the arguments that it knows; whether keys after the query have buckets is another convention
KNOWN = {"window_size", "num_prefix_tokens", "causal", "bidirectional"}


SHOWN = 3  # calls


def remarks_on(wrong):
    """Return lines on the wrong answers: the smallest as calls, and what `check_index` says of one."""
    smallest = sorted(wrong, key=lambda answer: answer.question.truth["out"].size)[:SHOWN]
    return [*map(_call, smallest), *_report(wrong)]


def _call(answer):
    """Return the call of the function, and its first wrong row beside the right one."""
    truth, found = answer.question.truth["out"], answer.results["out"]
    given = ", ".join(f"{name}={value!r}" for name, value in answer.question.arguments.items())
    if found.shape != truth.shape:
        return f"index({given}) has shape {found.shape}, expected {truth.shape}"
    at = tuple(int(n) for n in np.argwhere(found != truth)[0])
    is_wrong = f"index({given})[{', '.join(map(str, at))}] is {found[at]:g}, expected {truth[at]}"
    return f"{is_wrong}: {_tokens(answer.question.case, *at[-2:])}"


def _tokens(case, query, key):
    """Return where a query and a key are."""
    asked = SCHEMES[case.name](None, **case.options)
    places = {"query": asked.query_places(), "key": asked.key_places()}
    return ", ".join(
        f"{name} at {tuple(places[name][:, token - asked.prefix].tolist())}"
        if token >= asked.prefix
        else f"{name} a prefix token"
        for name, token in (("query", query), ("key", key))
    )


def _report(wrong):
    fit = [answer for answer in wrong if _fits(answer)]
    if not fit:
        return []
    answer = max(fit, key=lambda answer: len(set(answer.question.arguments["window_size"])))
    case, given = answer.question.case, answer.question.arguments
    rows = np.rint(answer.results["out"]).astype(np.int64)
    convention = CONVENTIONS[case.name] if given.get("bidirectional", True) else "t5_decoder"
    report = check_index(rows, given["window_size"], given.get("num_prefix_tokens", 0), convention)
    return ["", f"check_index on the case {case.variant!r}:", *str(report).splitlines()]


def _fits(answer):
    question = answer.question
    result = answer.results["out"]
    return (
        question.case.name in CONVENTIONS
        and "window_size" in question.arguments
        and question.arguments.keys() <= KNOWN
        and result.shape == question.truth["out"].shape
        and np.isfinite(result).all()
    )
