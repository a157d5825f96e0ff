"""The twins compute their geometry in two ways; for random sizes and options all indices are equal.

The first offset of each bucket is also compared with exact arithmetic: rounding must not move it.
"""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget
from .both import TWINS, array
from .test_schemes import exact_bucket

ROUNDS = 30


class Draws:
    """Random sizes and options of a scheme."""

    def __init__(self, rng):
        self.rng = rng

    def __call__(self, low, high):
        """Draw an integer from low to high, inclusive."""
        return int(self.rng.integers(low, high, endpoint=True))

    def flag(self):
        return bool(self(0, 1))

    def prefix(self):
        """Draw a number of prefix tokens, 0 with probability 1/2."""
        return max(self(-2, 3), 0)

    def within(self, *sizes):
        """Draw a size that is nowhere larger than the given one."""
        return tuple(self(1, size) for size in sizes)

    def sequence(self, **options):
        """Draw numbers of queries and keys, and an offset of the queries if there is no prefix."""
        prefix = self.prefix()
        offset = 0 if prefix else self(0, 70)
        call = {"q_size": self(1, 50), "k_size": self(1, 50), "q_offset": offset}
        return self(1, 30), options | {"num_prefix_tokens": prefix}, call

    def covered_sequence(self):
        """Draw a sequence whose offsets are all within a window."""
        _, options, call = self.sequence()
        furthest = max(call["q_size"] - 1 + call["q_offset"], call["k_size"] - 1 - call["q_offset"])
        return furthest + self(1, 5), options, call

    def grids(self, longest=9, **options):
        """Draw two grids; one in four pairs is long and thin, so that it has far offsets."""
        call = {name: self.within(longest, longest) for name in ("q_size", "k_size")}
        if self(0, 3) == 0:
            call = {"q_size": (1, self(1, 400)), "k_size": (self(1, 3), 1)}
        return self.within(7, 7), options | {"num_prefix_tokens": self.prefix()}, call

    def window(self, *longest, **options):
        """Draw grids within a window."""
        size = self.within(*longest)
        call = {"q_size": self.within(*size), "k_size": self.within(*size)}
        return size, options | {"num_prefix_tokens": self.prefix()}, call

    def levit(self):
        window, options, call = self.window(8, 8)
        stride = self(1, 4)
        queries = (1 + (size - 1) // stride for size in window)
        return window, options | {"stride": stride}, call | {"q_size": self.within(*queries)}

    def halo(self):
        halo = self(0, 2)
        window = tuple(size + 2 * halo for size in self.within(5, 5))
        call = {"q_size": self.within(*(size - halo for size in window)), "k_size": self.within(*window)}
        options = {"halo_size": halo, "head_dim": 2, "num_prefix_tokens": self.prefix()}
        return window, options, call

    def decomposed(self):
        _, options, call = self.grids(head_dim=2)
        return tuple(map(max, call["q_size"], call["k_size"])), options, call

    def buckets(self, **options):
        """Draw T5's options, sometimes with very many buckets or a very large max_distance."""
        half = self(1, 20) if self(0, 5) else self(20, 400)
        reach = 2 * half + (self(1, 300) if self(0, 5) else self(300, 2**30))
        t5 = {"num_buckets": 4 * half, "max_distance": reach, "bidirectional": self.flag()}
        window, options, call = self.sequence(**options | t5)
        return window, options, call | {"q_offset": call["q_offset"] * self(1, 200)}

    def irpe(self, **options):
        ratio = [self(1, 40) / 8, self(1, 24) / 2, self.rng.uniform(0.01, 12)][self(0, 2)]
        method = ["euclidean", "quant", "cross", "product"][self(0, 3)]
        return self.grids(12, method=method, ratio=ratio, shared_head=self.flag(), **options)

    def custom(self):
        keys = self.within(5, 5)
        index = self.rng.integers(-1, self(1, 9), (self(1, 12), math.prod(keys)))
        return keys, {"index": index, "num_prefix_tokens": self.prefix()}, {}

    def sum(self):
        window, options, call = self.grids()
        kinds = [
            {"bias_type": "alibi2d"},
            {"bias_type": "irpe_bias", "method": "cross"},
            {"bias_type": "irpe_bias", "method": "euclidean", "ratio": 3.5},
            {"bias_type": "t5", "num_buckets": 8, "max_distance": 9},
            {"bias_type": "log_cpb", "hidden_features": 2},
        ]
        parts = [kinds[n] for n in self.rng.permutation(5)[: self(1, 4)]]
        if self(0, 3) == 0:
            parts, call = [*parts, {"bias_type": "2d"}], {}
        return window, options | {"parts": parts}, call


DRAWS = {
    "1d": Draws.covered_sequence,
    "2d": lambda draw: draw.window(8, 8),
    "3d": lambda draw: draw.window(4, 4, 4),
    "alibi": lambda draw: draw.sequence(**{("asymmetric", "causal")[draw(0, 1)]: draw.flag()}),
    "alibi2d": Draws.grids,
    "custom": Draws.custom,
    "decomposed": Draws.decomposed,
    "dynamic": lambda draw: draw.grids(hidden_features=2),
    "dynamic_1d": lambda draw: draw.sequence(hidden_features=2, log_distance=draw.flag()),
    "fire": lambda draw: draw.sequence(causal=draw.flag(), init_length=draw(1, 90), hidden_features=2),
    "gated_t5": lambda draw: draw.buckets(head_dim=2),
    "halo": Draws.halo,
    "irpe": lambda draw: draw.irpe(head_dim=2),
    "irpe_bias": Draws.irpe,
    "kerple": lambda draw: draw.sequence(causal=draw.flag(), kernel=("log", "power")[draw(0, 1)]),
    "levit": Draws.levit,
    "log_cpb": lambda draw: draw.grids(pretrained_window_size=draw.within(9, 9), hidden_features=2),
    "maxvit": lambda draw: draw.window(8, 8),
    "rel_pos_mlp": lambda draw: draw.grids(mode=("cr", "swin")[draw(0, 1)], hidden_features=2, drop=0),
    "sandwich": lambda draw: draw.sequence(causal=draw.flag(), sinusoid_dim=2 * draw(1, 40)),
    "shaw": lambda draw: draw.sequence(head_dim=2, max_distance=draw(1, 60)),
    "sum": Draws.sum,
    "t5": Draws.buckets,
    "transformer_xl": lambda draw: draw.sequence(head_dim=draw(1, 8)),
}


def geometry(twin, bias_type, window, options, call):
    """Return the tables and indices of a scheme, for its own window and for a call's sizes."""
    dtype, rng = "float64", np.random.default_rng(0)
    scheme = twin.RelativePositionBias(4, window, bias_type, dtype=dtype, generator=rng, **options)
    tables, indices = [], [array(scheme.index)]
    if scheme.query_tokens is not None:
        indices.append(array(scheme.query_tokens))
    for sizes in (scheme.sizes(), scheme.sizes(**call)):
        if hasattr(scheme, "lookup"):
            table, index = scheme.lookup(*sizes)
            tables, indices = [*tables, array(table)], [*indices, array(index)]
        else:
            tables += map(array, scheme.embeddings(*sizes))
            indices += map(array, scheme.indices(*sizes))
    return tables, indices


def test_every_scheme_is_drawn():
    assert set(DRAWS) == set(numpy_ref.SCHEMES)


@pytest.mark.parametrize("bias_type", DRAWS)
def test_the_twins_agree(bias_type):
    draw = Draws(np.random.default_rng(0))
    for _ in range(ROUNDS):
        drawn = DRAWS[bias_type](draw)
        (tables, indices), (others, found) = (
            geometry(twin, bias_type, *drawn) for twin in (numpy_ref, torch_impl)
        )
        for ours, theirs in zip(indices, found, strict=True):
            assert theirs.dtype == np.int64
            np.testing.assert_array_equal(ours, theirs, err_msg=str(drawn))
        for ours, theirs in zip(tables, others, strict=True):
            assert budget.float64("table", ours, theirs).ok, drawn
            assert budget.float64("table", theirs, ours).ok, drawn


def offsets(twin, values):
    return np.array(values) if twin is numpy_ref else torch.tensor(values)


@TWINS
@pytest.mark.parametrize(
    ("buckets", "max_distance"),
    [(10, 160), (20, 320), (54, 64), (54, 125), (72, 361), (100, 1058), (32, 128), (64, 256)],
)
def test_t5_rounds_no_edge_away(twin, buckets, max_distance):
    """At integer edges, as (160/5)^(1/5) · 5 = 10, a logarithm rounded down gives a wrong bucket."""
    options = {"num_buckets": buckets, "max_distance": max_distance, "bidirectional": False}
    scheme = twin.RelativePositionBias(1, 1, "t5", **options)
    distances = range(max_distance + 2)
    expected = [exact_bucket(d, buckets, max_distance, False) for d in distances]
    assert array(scheme.bucket(offsets(twin, list(distances)))).tolist() == expected


def t5_edge(exact, max_distance, step):
    """Return the smallest integer d with d^m ≥ D^t m^(m − t), by bisection."""
    low, high = exact, max_distance
    while low < high:
        middle = (low + high) // 2
        reached = middle**exact >= max_distance**step * exact ** (exact - step)
        low, high = (low, middle) if reached else (middle + 1, high)
    return low


@TWINS
def test_t5_buckets_begin_at_their_edges(twin):
    """At every edge a bucket begins, and the distance before is in an earlier bucket."""
    draw = Draws(np.random.default_rng(0))
    near_miss = 56, 810759034  # an edge lies 4e-7 beyond the integer 186012978
    drawn = ((exact, exact + draw(1, 2**30)) for exact in [draw(2, 60) for _ in range(30)])
    powers = ((exact, exact * draw(2, 9) ** draw(1, 6)) for exact in [draw(2, 60) for _ in range(30)])
    for exact, reach in [near_miss, *drawn, *powers]:
        steps = range(1, exact)
        edges = [t5_edge(exact, reach, step) for step in steps]
        options = {"num_buckets": 4 * exact, "max_distance": reach}
        bucket = twin.RelativePositionBias(1, 1, "t5", **options).bucket
        at = array(bucket(offsets(twin, edges)))
        before = array(bucket(offsets(twin, [1 - edge for edge in edges]))) - 2 * exact
        assert (at >= exact + np.array(steps)).all(), (exact, reach)
        assert (before < exact + np.array(steps)).all(), (exact, reach)


def irpe_edge(ratio, n):
    """Return the smallest integer x with g(x) ≥ n: n up to α, then x ≥ α · 8^((n − ½)/α − 1).

    Ties are rounded to even.
    """
    with localcontext(prec=50):
        if n <= ratio:
            return n
        edge = Decimal(ratio) * Decimal(8) ** ((Decimal(n) - Decimal("0.5")) / Decimal(ratio) - 1)
        nearest = int(edge.to_integral_value())
        if abs(edge - nearest) < Decimal("1e-40"):
            return nearest + n % 2
        return max(math.ceil(edge), math.floor(ratio) + 1)


@TWINS
def test_irpe_buckets_begin_at_their_edges(twin):
    """Every bucket begins at the exact edge, for ratios with special cases too.

    Ratios of k + ½ have ties, as 4.5 · 8^(2/3) = 18, where g rounds 7.5 to the even 8. At 30.99 the
    logarithmic part alone would begin bucket 31 at 30, where g(x) is still x.
    """
    draw = Draws(np.random.default_rng(0))
    ratios = [1.5, 1.9, 4.5, 7.5, 10.5, 30.99, *(draw.rng.uniform(0.3, 30) for _ in range(15))]
    for ratio in ratios:
        length, options = int(9 * ratio) + 2, {"method": "euclidean", "ratio": ratio}
        scheme = twin.RelativePositionBias(1, 1, "irpe_bias", **options)
        index = array(scheme.make_index((1, length), (1, 1)))[:, 0] - int(2 * ratio)
        edges = [irpe_edge(ratio, n) for n in range(1, int(2 * ratio) + 1)]
        assert index.tolist() == np.searchsorted(edges, np.arange(length), side="right").tolist(), ratio
