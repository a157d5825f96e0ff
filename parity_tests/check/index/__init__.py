"""Index functions: which row of a scheme's table each pair of tokens reads.

A function of this kind computes the integer index of one scheme (`--scheme`, "2d" unless given):

    index(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, **options)

window_size: tuple of ints, tokens along each axis of the window that the table is made for.
num_prefix_tokens: P, tokens before the grid (class token, registers); sizes never count them.
q_size, k_size: tuples of ints, the grids of the queries and of the keys. Both are given or neither.
    Without them the keys' grid is the window, and the queries' too, except in "levit" and "halo".
q_offset: position of the first query among the keys; only for one axis without prefix tokens.
options: those of the scheme that the index depends on, by their names in `RelativePositionBias`.

It returns integers (P + Lq, P + Lk), Lq = Π q_size and Lk = Π k_size. "decomposed", "halo" and iRPE's
method "cross" read two rows for each pair: (2, P + Lq, P + Lk). Tokens are counted row by row, prefix
tokens first. `grids` and `buckets` have the formulas, a class for each family of schemes.

All arguments are passed by name. An argument that a case does not need is left out, unless the function
has no default for it. Cases with an argument that the function does not take are not asked, and the
verdict says so. A function for a scheme whose table does not depend on the window ("t5", "shaw", "irpe",
the schemes of `Offsets`, "decomposed") may take q_size and k_size without window_size.
"""

from dataclasses import dataclass, replace

from ..kind import Kind, Question
from .cases import INDEX_CASES, truth_of
from .reference import Reference
from .remarks import remarks_on
from .schemes import SCHEMES, mistakes_of

LARGE = 5_000  # pairs: larger cases are left out of --quick


@dataclass(frozen=True)
class _Index(Kind):
    def of_scheme(self, scheme):
        """Return the kind of functions for one scheme, "2d" for None."""
        found = super().of_scheme(scheme or "2d")
        reference, mistakes = SCHEMES[found.scheme], mistakes_of(found.scheme)
        unknown = {name for other in SCHEMES.values() for name in other.options} - {*reference.options}
        arguments = {name: text for name, text in self.arguments.items() if name not in unknown}
        return replace(found, reference=reference, mistakes=mistakes, arguments=arguments)

    def scheme_of(self, case):
        return case.name

    def asked(self, case, takes, needs):
        """Return the case with what the function needs besides, and without what it can do without."""
        reference, given = SCHEMES[case.name], dict(case.options)
        whole = reference(None, **given)
        defaults = {"num_prefix_tokens": 0, "q_size": whole.q_size, "k_size": whole.k_size}
        defaults |= {"q_offset": 0} | reference.options
        if "window_size" not in takes and not reference.needs_window:
            del given["window_size"]
            needs = {*needs, "q_size", "k_size"}
        return replace(case, options={n: x for n, x in defaults.items() if n in needs} | given)

    def question(self, case, dtype):
        """Return the `Question` of a case: nothing in it is rounded, whatever the dtype."""
        truth = {"out": truth_of(case)}
        return Question(case, "float64", case.options, None, truth, {}, frozenset(truth))

    def is_large(self, case):
        return self.question(case, "float64").truth["out"].size > LARGE

    def remarks(self, answers):
        """Return the worst pair of the smallest wrong case, and what `check_index` says."""
        return remarks_on([answer for answer in answers if answer.wrong])


INDEX = _Index(
    name="index",
    about="the row of a scheme's table that each pair of tokens reads; --scheme says whose",
    arguments={
        "window_size": "tuple of ints, the grid that the table is made for",
        "num_prefix_tokens": "P, the tokens before the grid; 0 if it is not given",
        "q_size": "tuple of ints, the grid of the queries; given with k_size, or neither",
        "k_size": "tuple of ints, the grid of the keys; the window if it is not given",
        "q_offset": "position of the first query among the keys; 0 if it is not given",
        "stride": "levit: every stride-th token along an axis is a query; 1",
        "halo_size": "halo: tokens of the window around the queries' block; 0",
        "num_buckets": "t5, gated_t5: rows of the table; 32",
        "max_distance": "t5, gated_t5: where the last bucket begins, 128; shaw: the farthest row, 16",
        "bidirectional": "t5, gated_t5: whether keys after the query have buckets; True",
        "method": 'irpe, irpe_bias: "product", "euclidean", "quant" or "cross"; "product"',
        "ratio": "irpe, irpe_bias: α; 1.9",
        "causal": "alibi, kerple, sandwich: prefix→token pairs read the row of −∞; False",
    },
    axes={"out": ("axis", "query", "key")},
    cases=INDEX_CASES,
    reference=Reference,
    mistakes=(),
)
