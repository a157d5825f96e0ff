"""The sum of several schemes as one (LayoutLMv3, arXiv 2204.08387: 1-D + x + y)."""

import torch

from ..checks import as_dtype, check_parts
from ..nn import ModuleList
from ..random import as_generator
from ._geometry import joint_rows
from ._table import TableBias


class Sum(TableBias):
    """bias = Σ_n parts[n](),  parts: keyword arguments of `RelativePositionBias`, one dict each.

    Still a table and an index: a row for every combination of the parts' rows that occurs,
    table[r] = Σ_n table_n[rows_n[r]], and dtable_n is the scatter-add of dtable along rows_n. The
    window, prefix tokens, dtype and generator are those of the sum, unless a part has a window_size of
    its own (a 1-D part reads a grid row-major). Schemes that look at the query are no parts.
    Other sizes at call time where every part takes them. State: parts.0.…, parts.1.…
    """

    bias_type = "sum"
    window_ndim = None

    def __init__(
        self,
        num_heads,
        window_size,
        init_std=0.02,
        *,
        parts=(),
        num_prefix_tokens=0,
        dtype=None,
        generator=None,
    ):
        from . import RelativePositionBias  # the registry of which this file is a part

        common = {
            "num_heads": num_heads,
            "window_size": window_size,
            "init_std": init_std,
            "num_prefix_tokens": num_prefix_tokens,
            "dtype": as_dtype(dtype),
            "generator": as_generator(generator),
        }
        self._joints = {}  # by size: finding the combinations takes longer than using them
        self._parts = [RelativePositionBias(**common | part) for part in check_parts(parts)]
        for part in self._parts:
            if part.looks_at_query or part.query_tokens is not None:
                raise ValueError(
                    f"parts has {part.bias_type!r}, expected schemes that do not look at the query and "
                    "have as many queries as keys"
                )
        if len({part.num_tokens for part in self._parts}) > 1:
            raise ValueError(
                f"parts have windows {[part.window_size for part in self._parts]}, expected the same "
                "number of tokens in each"
            )
        self.window_ndim = max(len(part.window_size) for part in self._parts)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.parts = ModuleList(self._parts)

    def as_window(self, name, size):
        """As the part with the most axes reads it."""
        return max((part.as_window(name, size) for part in self._parts), key=len)

    def make_index(self, q_size, k_size, q_offset=0):
        return self._joint(q_size, k_size, q_offset)[1]

    def sizes(self, q_size=None, k_size=None, q_offset=0):
        sizes = super().sizes(q_size, k_size, q_offset)
        for part in self._parts:
            part.sizes(*self._asked(*sizes))
        return sizes

    def table(self, q_size=None, k_size=None, q_offset=0):
        sizes = self.sizes(q_size, k_size, q_offset)
        rows = self._joint(*sizes)[0].to(self.index.device)
        tables = [part.table(*self._asked(*sizes)) for part in self._parts]
        return sum(table[each] for table, each in zip(tables, rows, strict=True))

    def _joint(self, *sizes):
        """(rows (parts, R), index (P + Lq, P + Lk))"""
        if sizes not in self._joints:
            indices = [part.lookup(*self._asked(*sizes))[1].cpu() for part in self._parts]
            self._joints[sizes] = joint_rows(torch.stack(indices))
        return self._joints[sizes]

    def _asked(self, *sizes):
        """What the parts are asked for: nothing, where it is the window, so that each keeps its own."""
        return () if sizes == (self.window_size, self.window_size, 0) else sizes
