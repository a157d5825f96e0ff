"""The cases of index functions: those of the schemes' rows, and grids and options that are rare there.

A case's `options` are the arguments that the function gets.
"""

import math

from numpy_ref.position import SCHEMES as TWIN

from ...cases import CASES, Case
from .schemes import SCHEMES

ONE_AXIS = {
    "single": {"window_size": (1,)},
    "single_prefix": {"window_size": (1,), "num_prefix_tokens": 1},
    "nine": {"window_size": (9,)},
    "one_query": {"window_size": (9,), "q_size": (1,), "k_size": (9,)},
    "fewer_queries_prefix": {
        "window_size": (9,),
        "q_size": (4,),
        "k_size": (7,),
        "num_prefix_tokens": 2,
    },
    "fewer_keys_prefix": {"window_size": (9,), "q_size": (9,), "k_size": (3,), "num_prefix_tokens": 1},
    "with_cache": {"window_size": (9,), "q_size": (2,), "k_size": (9,), "q_offset": 7},
}
TWO_AXES = {
    "single": {"window_size": (1, 1)},
    "single_prefix": {"window_size": (1, 1), "num_prefix_tokens": 1},
    "one_row": {"window_size": (1, 5)},
    "wide": {"window_size": (3, 5)},
    "upright": {"window_size": (5, 2), "num_prefix_tokens": 1},
    "three_registers": {"window_size": (4, 4), "num_prefix_tokens": 3},
    "smaller_grids": {"window_size": (4, 5), "q_size": (2, 5), "k_size": (4, 1)},
    "smaller_grids_prefix": {
        "window_size": (4, 5),
        "q_size": (4, 2),
        "k_size": (2, 5),
        "num_prefix_tokens": 2,
    },
    "pooled_keys": {"window_size": (6, 8), "q_size": (6, 8), "k_size": (3, 4)},
    "pooled_queries_prefix": {
        "window_size": (4, 6),
        "q_size": (2, 3),
        "k_size": (4, 6),
        "num_prefix_tokens": 1,
    },
    "beit_14x14": {"window_size": (14, 14), "num_prefix_tokens": 1},
}
THREE_AXES = {
    "single": {"window_size": (1, 1, 1), "num_prefix_tokens": 1},
    "wide": {"window_size": (2, 3, 4)},
    "upright": {"window_size": (4, 2, 3), "num_prefix_tokens": 1},
    "cube": {"window_size": (3, 3, 3)},
    "smaller_grids": {"window_size": (3, 2, 4), "q_size": (2, 2, 3), "k_size": (3, 1, 4)},
    "smaller_grids_prefix": {
        "window_size": (3, 2, 4),
        "q_size": (1, 2, 4),
        "k_size": (3, 2, 2),
        "num_prefix_tokens": 2,
    },
}
CAUSAL = {
    "causal_tokens": {"window_size": (7,), "causal": True},
    "causal_class_token": {"window_size": (7,), "num_prefix_tokens": 1, "causal": True},
    "causal_with_cache": ONE_AXIS["with_cache"] | {"causal": True},
}
STRIDES = {
    "stride_2": {"window_size": (5, 4), "stride": 2},
    "stride_3_prefix": {"window_size": (4, 7), "stride": 3, "num_prefix_tokens": 2},
    "stride_2_other_grids": {"window_size": (5, 6), "q_size": (2, 2), "k_size": (4, 6), "stride": 2},
}
HALOS = {
    "halo_of_1": {"window_size": (5, 4), "halo_size": 1},
    "halo_2_prefix": {"window_size": (5, 7), "halo_size": 2, "num_prefix_tokens": 2},
    "halo_1_other_grids": {"window_size": (6, 5), "q_size": (2, 3), "k_size": (5, 3), "halo_size": 1},
}
# Distances that are exactly edges: 16, 32 and 64 by default. The logarithms of
# float64 and of float32 lose one in the cases named so.
BUCKETS = {
    "edges": {"window_size": (140,)},
    "edges_causal": {"window_size": (140,), "bidirectional": False},
    "powers_of_two": {"window_size": (30,), "num_buckets": 12, "max_distance": 24},
    "powers_of_three": {"window_size": (140,), "num_buckets": 16, "max_distance": 324},
    "powers_of_two_causal": {
        "window_size": (30,),
        "num_buckets": 6,
        "max_distance": 24,
        "bidirectional": False,
    },
    "lost_in_float64": {"window_size": (30,), "num_buckets": 20, "max_distance": 160},
    "lost_in_float32": {"window_size": (150,), "num_buckets": 12, "max_distance": 1029},
    "four_buckets": {"window_size": (20,), "num_buckets": 4, "max_distance": 9},
    "eight_buckets_prefix": {
        "window_size": (20,),
        "num_buckets": 8,
        "max_distance": 16,
        "num_prefix_tokens": 1,
    },
    "causal_with_cache": {
        "window_size": (40,),
        "q_size": (3,),
        "k_size": (40,),
        "q_offset": 37,
        "bidirectional": False,
    },
    "many_buckets": {"window_size": (200,), "num_buckets": 320, "max_distance": 800},
}
CLIPPED = {
    "reach_3": {"window_size": (9,), "max_distance": 3},
    "reach_1_prefix": {"window_size": (6,), "max_distance": 1, "num_prefix_tokens": 2},
    "reach_beyond": {"window_size": (5,), "max_distance": 7},
    "longer": {"window_size": (40,)},
}
METHODS = {
    f"{method}_{name}": {"method": method} | given
    for method in ("product", "euclidean", "quant", "cross")
    for name, given in {
        "far": {"window_size": (3, 20)},
        "upright_prefix": {"window_size": (18, 2), "num_prefix_tokens": 1},
        "other_ratio": {"window_size": (6, 9), "ratio": 2.6, "num_prefix_tokens": 2},
        "smaller_grids": {"window_size": (6, 7), "q_size": (6, 3), "k_size": (2, 7)},
    }.items()
}
OF_AXES = {1: ONE_AXIS, 2: TWO_AXES, 3: THREE_AXES}
OF_SCHEMES = {
    **dict.fromkeys(("alibi", "kerple", "sandwich"), CAUSAL),
    **{"levit": STRIDES, "halo": HALOS, "shaw": CLIPPED},
    **dict.fromkeys(("t5", "gated_t5"), BUCKETS),
    **dict.fromkeys(("irpe", "irpe_bias"), METHODS),
}


def axes_of(scheme):
    """Return the number of axes of a scheme's window."""
    return TWIN[scheme].window_ndim


def truth_of(case):
    """Return the index (P + Lq, P + Lk), or two, that numpy_ref's scheme has in the case."""
    scheme, given = TWIN[case.name], dict(case.options)
    sizes = {name: given.pop(name) for name in ("q_size", "k_size", "q_offset") if name in given}
    given.setdefault("window_size", sizes.get("k_size"))
    head = {"head_dim": 2} if scheme.looks_at_query else {}
    module = scheme(2, **given, **head)
    sizes = module.sizes(**sizes)
    if given.get("method") == "cross":  # there numpy_ref numbers the pairs of rows that occur
        rows, joint = module._bucket_rows.joint(*sizes[:2])
        return rows[:, joint]
    return module.make_index(*sizes)


def _arguments(case):
    """Return what a scheme's row of the table is for an index function."""
    scheme, given = SCHEMES[case.name], case.options | case.call
    arguments = {"window_size": _size(case.name, given["window_size"])}
    sizes = {name: _size(case.name, given[name]) for name in ("q_size", "k_size") if name in given}
    if sizes:
        queries = scheme(None, **arguments, **_own(scheme, given)).q_size
        arguments |= {"q_size": queries, "k_size": arguments["window_size"]} | sizes
    names = ("q_offset", "num_prefix_tokens")
    return arguments | {n: given[n] for n in names if given.get(n)} | _own(scheme, given)


def _own(scheme, given):
    return {name: given[name] for name in scheme.options if name in given}


def _size(scheme, size):
    axes = axes_of(scheme)
    if axes == 1:
        return (math.prod(size) if isinstance(size, tuple) else size,)
    return size if isinstance(size, tuple) else (size,) * axes


def _cases(scheme):
    """Return the cases of a scheme, each once."""
    rows = {case.variant: _arguments(case) for case in CASES if _is_of(case, scheme)}
    more = OF_AXES[axes_of(scheme)] | OF_SCHEMES.get(scheme, {})
    found = {}
    for variant, arguments in [*rows.items(), *more.items()]:
        found.setdefault(tuple(sorted(arguments.items())), (variant, arguments))
    return [Case("index", scheme, variant, {}, arguments) for variant, arguments in found.values()]


def _is_of(case, scheme):
    return (case.kind, case.name) == ("scheme", scheme)


INDEX_CASES = tuple(case for scheme in SCHEMES for case in _cases(scheme))
