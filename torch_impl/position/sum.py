"""The sum of several schemes as one (LayoutLMv3, arXiv 2204.08387: 1-D + x + y)."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from ..checks import as_dtype, as_sizes, check_parts
from ..nn import ModuleList
from ..ops.bias import gather_rows
from ..random import as_generator
from ..resize import Method
from ..types import DTypeLike, Generator, Size, SizeLike, Sizes
from ..wide import wide
from ._base import ScoreTerms
from ._geometry import joint_rows, remembered
from ._table import TableBias


class Sum(TableBias):
    """Add several schemes up: bias = Σ_n parts[n]().

    It is a table and an index too: a row for every combination of the parts' rows that occurs,
    table[r] = Σ_n table_n[rows_n[r]]. dtable_n is the scatter-add of dtable along rows_n.

    parts: a dict for each scheme, keyword arguments of `RelativePositionBias`. Heads, prefix tokens,
        dtype and generator are the sum's. So is the window (a part of one axis reads a grid row-major),
        unless a part has a window_size of its own, with as many tokens. No part may look at the query.

    Sizes at call time: those that every part takes; none if a part has a window of its own.
    State: parts.0.…, parts.1.…
    Source: arXiv 2204.08387 (1-D + x + y). Used by LayoutLMv3.
    """

    bias_type = "sum"
    window_ndim = None

    rows: Tensor  # (parts, R) of the parts' tables, to be added up

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        parts: Sequence[dict[str, Any]] = (),
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        from . import RelativePositionBias  # the registry of which this file is a part

        common: dict[str, Any] = {
            "num_heads": num_heads,
            "window_size": window_size,
            "init_std": init_std,
            "num_prefix_tokens": num_prefix_tokens,
            "dtype": as_dtype(dtype),
            "generator": as_generator(generator),
        }
        check_parts(parts, common.keys() - {"window_size", "init_std"})
        self._given = [dict(part) for part in parts]
        self._joints = {}  # by size: finding the combinations takes longer than using them
        made = [RelativePositionBias(**common | part) for part in parts]
        self._parts = cast("list[TableBias]", made)  # `_check_parts` makes sure
        self._own_window = any("window_size" in part for part in parts)
        self._check_parts()
        self.window_ndim = max(len(part.window_size) for part in self._parts)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.parts = ModuleList(self._parts)

    def as_window(self, name: str, size: SizeLike) -> Size:
        """Return the size as the part with the most axes reads it; the window is that part's own."""
        if name == "window_size":
            return longest([part.window_size for part in self._parts])
        if self._own_window:
            return as_sizes(name, size)
        return longest([part.as_window(name, size) for part in self._parts])

    def _make_buffers(self) -> None:
        super()._make_buffers()
        self._keep("rows", self._joint(self.window_size, self.window_size, 0)[0])

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        return self._joint(q_size, k_size, q_offset)[1]

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        sizes = super().sizes(q_size, k_size, q_offset)
        if self._own_window and not self._is_window(*sizes):
            raise ValueError(
                f"q_size is {sizes[0]}, k_size {sizes[1]} and q_offset {q_offset}, but a part has a "
                f"window of its own, so that this sum has no sizes but {self.window_size}"
            )
        for part in self._parts:
            part.sizes(*self._asked(*sizes))
        return sizes

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        sizes = self.sizes(q_size, k_size, q_offset)
        rows = self.rows if self._is_window(*sizes) else self._joint(*sizes)[0]
        tables = [part.table(*self._asked(*sizes)) for part in self._parts]
        # wide: autograd adds a row's gradients up before they are rounded
        terms = [gather_rows(wide(table), each) for table, each in zip(tables, rows, strict=True)]
        return sum(terms[1:], start=terms[0]).to(self.dtype)

    def score_terms(self, x: Tensor, q: Tensor, k: Tensor) -> ScoreTerms:
        sizes = self.sizes_of(x.shape[1], "x")
        if self._has_joint(*sizes):
            return ScoreTerms(*self.lookup(*sizes))
        return ScoreTerms(bias=self._added(*sizes))

    def forward(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        sizes = self.sizes(q_size, k_size, q_offset)
        return super().forward(*sizes) if self._has_joint(*sizes) else self._added(*sizes)

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        if self._own_window:
            raise ValueError(
                f"new_window_size is {window}, but a part has a window_size of its own: resize the parts"
            )
        tables: dict[str, Tensor] = {}
        for n, part in enumerate(self._parts):
            of_part = part.resized_tables(part.as_window("new_window_size", window), method)
            tables |= {f"parts.{n}.{name}": table for name, table in of_part.items()}
        return tables

    def resized_options(self) -> dict[str, Any]:
        own = [part.resized_options() for part in self._parts]
        parts = [given | more for given, more in zip(self._given, own, strict=True)]
        return {"parts": parts} if any(own) else {}

    def _joint(self, *sizes: Any) -> tuple[Tensor, Tensor]:
        place = *sizes, self.index.device
        return remembered(self._joints, place, lambda: self._find_joint(*sizes))

    def _find_joint(self, *sizes: Any) -> tuple[Tensor, Tensor]:
        """Return rows (parts, R) of the parts' tables, to be added up, and index (P + Lq, P + Lk)."""
        return joint_rows(torch.stack([part.lookup(*self._asked(*sizes))[1] for part in self._parts]))

    def _has_joint(self, *sizes: Any) -> bool:
        """Return whether there is a joint table; one for new sizes cannot be traced."""
        return self._is_window(*sizes) or not torch.compiler.is_compiling()

    def _added(self, *sizes: Any) -> Tensor:
        """Return the bias (H, P + Lq, P + Lk) as the sum of the parts'."""
        terms = [wide(part(*sizes)) for part in self._parts]
        return sum(terms[1:], start=terms[0]).to(self.dtype)

    def _asked(self, *sizes: Any) -> Any:
        """Return the sizes to ask the parts for: none for the window, so that each part uses its own."""
        return () if self._is_window(*sizes) else sizes

    def _check_parts(self) -> None:
        """Raise ValueError unless all parts are tables for the same pairs."""
        for part in self._parts:
            if part.looks_at_query or part.index.shape[0] != part.num_tokens:
                raise ValueError(
                    f"parts has {part.bias_type!r}, expected schemes that do not look at the query and "
                    "have as many queries as keys"
                )
        if len({part.num_tokens for part in self._parts}) > 1:
            raise ValueError(
                f"parts have windows {[part.window_size for part in self._parts]}, expected the same "
                "number of tokens in each"
            )


def longest(sizes: Sequence[Size]) -> Size:
    """Return the first of those with the most axes."""
    return next(size for size in sizes if len(size) == max(len(other) for other in sizes))
