"""The report of a check: findings in words, each with one pair of tokens that shows it."""

import math
import textwrap
from typing import NamedTuple

import numpy as np

from .conventions import CONVENTIONS, places_in


class Pair(NamedTuple):
    """A query and a key, numbered as in the index. Prefix tokens have no place and no offset."""

    query: int
    query_place: tuple[int, ...] | None
    key: int
    key_place: tuple[int, ...] | None
    offset: tuple[int, ...] | None
    found: int | float
    expected: int | None = None

    def __str__(self):
        tokens = (
            f"query {self.query} {_where(self.query_place)}, key {self.key} {_where(self.key_place)}"
        )
        offset = "" if self.offset is None else f", offset {self.offset}"
        expected = "" if self.expected is None else f", expected {self.expected}"
        return f"{tokens}{offset}: row {self.found}{expected}"


class Finding(NamedTuple):
    """kind: a word for programs; text: what is wrong; pairs: those that show it."""

    kind: str
    text: str
    pairs: tuple[Pair, ...] = ()

    def __str__(self):
        lines = [_wrapped(f"{self.kind.replace('_', ' ')}: {self.text}")]
        return "\n".join([*lines, *(f"    {pair}" for pair in self.pairs)])


class Report(NamedTuple):
    """What `check_index` found.

    ok: whether the index is the convention's, entry by entry.
    findings: what is wrong; causes first, then what follows from them.
    recognised: the name of the convention that the index is exactly, or None.
    permutation: for each row of the expected index ("here") the row of this one ("theirs"), if the
        same pairs read it: permutation[index_here] == index_theirs, so that
        table_here = table_theirs[permutation]. None if there is none; for "decomposed" a tuple, one per
        axis.
    """

    shape: tuple[int, ...]
    window_size: tuple[int, ...]
    num_prefix_tokens: int
    convention: str
    findings: tuple[Finding, ...]
    recognised: str | None
    permutation: np.ndarray | tuple | None
    notes: tuple[str, ...] = ()

    @property
    def ok(self):
        return not self.findings

    @property
    def kinds(self):
        return [finding.kind for finding in self.findings]

    def __str__(self):
        prefix = f", prefix tokens {self.num_prefix_tokens}" if self.num_prefix_tokens else ""
        verdict = "right" if self.ok else "wrong"
        lines = [f"index {self.shape}, window {self.window_size}{prefix}: {verdict}"]
        lines.append(f"  expected: {self.convention!r}, {CONVENTIONS[self.convention].words}")
        lines += [_wrapped(f"note: {note}") for note in self.notes]
        lines += map(str, self.findings)
        if self.permutation is not None and self.recognised != self.convention:
            lines.append("  fix: table_here = table_theirs[permutation]")
            lines.append("    checked for every pair: permutation[index_here] == index_theirs")
            each = self.permutation if isinstance(self.permutation, tuple) else (self.permutation,)
            lines += [f"    permutation: {_some(permutation)}" for permutation in each]
        return "\n".join(lines)


class Tokens:
    """The tokens of a window: prefix tokens first, then the grid's, row-major."""

    def __init__(self, window, num_prefix_tokens):
        self.window, self.num_prefix_tokens = window, num_prefix_tokens
        self.places = places_in(window)
        self.length = num_prefix_tokens + math.prod(window)

    def place(self, token):
        """Return the token's place on the grid, None for a prefix token."""
        cell = token - self.num_prefix_tokens
        return tuple(self.places[cell].tolist()) if cell >= 0 else None

    def pair(self, query, key, found, expected=None):
        """Return the Pair of two tokens; found, expected: (L, L)."""
        here, there = self.place(query), self.place(key)
        between = None if here is None or there is None else zip(here, there, strict=True)
        offset = None if between is None else tuple(a - b for a, b in between)
        row = None if expected is None else int(expected[query, key])
        return Pair(query, here, key, there, offset, found[query, key].item(), row)

    def first(self, where, found, expected=None):
        """Return the Pair of the closest two tokens in `where` (L, L), of grid tokens if there are any.

        The first query among equals. None if there is no pair.
        """
        queries, keys = np.nonzero(where)
        if not len(queries):
            return None
        cells = queries - self.num_prefix_tokens, keys - self.num_prefix_tokens
        apart = np.abs(self.places[np.maximum(cells[0], 0)] - self.places[np.maximum(cells[1], 0)])
        of_prefix = np.minimum(*cells) < 0
        best = np.lexsort((keys, queries, apart.sum(-1), of_prefix))[0]
        return self.pair(queries[best].item(), keys[best].item(), found, expected)

    def step_that_differs(self, found, expected):
        """Return two Pairs of queries that are neighbours on an axis, and one key, with another step
        from row to row than expected."""
        for axis in range(len(self.window)):
            further = math.prod(self.window[axis + 1 :])
            for cell in np.flatnonzero(self.places[:, axis] + 1 < self.window[axis]):
                one = self.num_prefix_tokens + cell.item()
                steps = [rows[one + further, one] - rows[one, one] for rows in (found, expected)]
                if steps[0] != steps[1]:
                    pairs = (one, one), (one + further, one)
                    return tuple(self.pair(*pair, found, expected) for pair in pairs)
        return ()


def _wrapped(text):
    return textwrap.fill(text, 98, initial_indent="  ", subsequent_indent="      ")


def _some(permutation):
    first, last = (" ".join(map(str, part)) for part in (permutation[:6], permutation[-2:]))
    return f"{first} … {last} ({len(permutation)} rows)" if len(permutation) > 8 else f"{permutation}"


def _where(place):
    return "(prefix)" if place is None else f"at {place}"
