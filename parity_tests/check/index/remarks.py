"""What a diagnosis does not say: a pair of tokens that reads a wrong row, and `check_index`'s report."""

import numpy as np

from ...check_index import check_index

# The conventions of `check_index`, by the scheme whose index it is for a window of its own.
CONVENTIONS = {
    **dict.fromkeys(("1d", "2d", "3d", "maxvit", "log_cpb", "rel_pos_mlp", "dynamic"), "swin"),
    **dict.fromkeys(("alibi2d", "dynamic_1d", "transformer_xl", "sandwich"), "swin"),
    **dict.fromkeys(("alibi", "kerple"), "swin"),
    **{"levit": "levit", "decomposed": "decomposed", "halo": "decomposed", "t5": "t5", "gated_t5": "t5"},
}
# the arguments that it knows; whether keys after the query have buckets is another convention
KNOWN = {"window_size", "num_prefix_tokens", "causal", "bidirectional"}


def remarks_on(wrong):
    """Return lines on the wrong answers: the report of `check_index`, of a case that it can read."""
    fit = [answer for answer in wrong if _fits(answer)]
    if not fit:
        return []
    answer = max(fit, key=lambda answer: len(set(answer.question.arguments["window_size"])))
    case, given = answer.question.case, answer.question.arguments
    rows = np.rint(answer.results["out"]).astype(np.int64)
    convention = CONVENTIONS[case.name] if given.get("bidirectional", True) else "t5_decoder"
    report = check_index(rows, given["window_size"], given.get("num_prefix_tokens", 0), convention)
    return [f"check_index on the case {case.variant!r}:", *str(report).splitlines()]


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
