"""What all schemes share: the window, other sizes at call time, prefix tokens."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ..checks import (
    MOST_HEADS,
    MOST_PAIRS,
    as_dtype,
    as_number,
    as_sizes,
    check_choice,
    check_natural,
    check_positive_int,
)
from ..nn import Module
from ..ops import Offsets, QueryLookup
from ..random import as_generator
from ..resize import METHODS, Method
from ..types import DTypeLike, Generator, Size, SizeLike, Sizes


class ScoreTerms(NamedTuple):
    """What a scheme adds to attention: arguments of `ops.attention`, None where it adds nothing."""

    table: Tensor | None = None
    index: Tensor | None = None  # pyright: ignore[reportIncompatibleMethodOverride]  (tuple.index is not called)
    bias: Tensor | None = None
    value_embedding: Tensor | None = None
    value_index: Tensor | None = None
    offsets: Offsets | None = None
    query_lookup: QueryLookup | None = None


class Resized(NamedTuple):
    """A scheme's parameters for another window.

    state: {name: array}, the state dict of the scheme for the new window.
    options: the keyword options that this scheme needs besides its own, {name: value}.
    interpolated: names of the parameters that were interpolated; none if none depends on the window.
    """

    state: dict[str, Tensor]
    options: dict[str, Any]
    interpolated: tuple[str, ...]

    @property
    def report(self) -> str:
        """What was done, in words."""
        did = f"interpolated {', '.join(self.interpolated)}"
        if not self.interpolated:
            did = "nothing to interpolate: the parameters do not depend on the window"
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return did + (f"; needs {options}" if options else "")


class PositionBias(Module):
    """Add to the score of query i with key j a number that depends on their relative position.

    Attention does not call a scheme itself: it asks for the `score_terms`, and the NumPy twin hands
    their gradients to `score_terms_backward`. Schemes add keyword arguments of their own to these:

    num_heads: number of heads H; a scheme has its own numbers for each.
    window_size: tokens along each axis, an int or a tuple; a scheme of one axis reads a grid row-major.
    init_std: standard deviation of a learned table at first (truncated normal).
    num_prefix_tokens: number P of tokens before the grid in the sequence (class token, registers);
        sizes never count them.
    dtype: of parameters and tables, float32 unless given.
    generator: draws the parameters; a fresh seed unless given.

    In formulas h is a head, i a query, j a key; Δ is the position of the query less that of the key.
    `looks_at_query`: the scheme is called with q and k; any other is called without.
    """

    bias_type: str
    window_ndim: int | None = 1  # axes of the window; None: any number
    looks_at_query = False
    # Parameters that an index looks up: they begin near zero and learn at a rate of their own (optim).
    table_names: tuple[str, ...] = ("relative_position_bias_table",)

    index: Tensor  # of the window
    _query_tokens: Tensor | None

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float,
        num_prefix_tokens: int,
        dtype: DTypeLike | None,
        generator: Generator | None,
    ):
        super().__init__()
        self.num_heads: int = check_positive_int(MOST_HEADS, num_heads=num_heads)
        self.num_prefix_tokens: int = check_natural(num_prefix_tokens=num_prefix_tokens)
        self.init_std = as_number("init_std", init_std, "[0, inf)")
        self.window_size = self.as_window("window_size", window_size)
        self._check_pairs("window_size", self.query_size, self.window_size)
        self.dtype = as_dtype(dtype)
        self.generator = as_generator(generator)
        self._keep("index", torch.empty(0, dtype=torch.long))  # where it is, the geometry is made
        self._make_buffers()

    @property
    def num_tokens(self) -> int:
        """Length of the sequence the scheme was built for, prefix tokens included."""
        return self.num_prefix_tokens + math.prod(self.window_size)

    @property
    def query_size(self) -> Size:
        """Grid of the queries: the window, unless the scheme has fewer queries than keys."""
        return self.window_size

    @property
    def query_tokens(self) -> Tensor | None:
        """Places of the queries in the sequence, or None if every token is a query."""
        return self._query_tokens

    def _make_query_tokens(self) -> Tensor | None:
        """Return the places of the queries in the sequence, or None if every token is a query."""
        return None

    def _make_buffers(self) -> None:
        """Keep the geometry of the window: `index` and `query_tokens`."""
        self._keep("index", self.make_index(self.query_size, self.window_size))
        self._keep("_query_tokens", self._make_query_tokens())

    def _keep(self, name: str, tensor: Tensor | None) -> None:
        """Keep a tensor as a buffer, which moves with the module and is not in its state."""
        self.register_buffer(name, tensor, persistent=False)

    def score_terms(self, x: Tensor, q: Tensor, k: Tensor) -> ScoreTerms:
        """Return the `ScoreTerms` of a self-attention.

        x: (B, L, D), the input of the layer; q: (B, H, Lq, d) and k: (B, H, L, d), as they enter the
        scores. Raises ValueError for a number of tokens that the scheme does not cover.
        """
        raise NotImplementedError

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        """Return the integer geometry of two grids: (P + Lq, P + Lk), the row that each pair reads.

        q_size, k_size: tokens along each axis, as tuples; q_offset: position of the first query.
        """
        raise NotImplementedError

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        """Check sizes; return (q_size, k_size, q_offset) as two tuples and an int.

        q_size, k_size: grids of the queries and of the keys, those of the window unless given.
        q_offset: position of the first query among the keys, as with a key/value cache; only for schemes
            of one axis without prefix tokens.
        Raises ValueError/TypeError for what the scheme does not cover.
        """
        q_size = self.query_size if q_size is None else self.as_window("q_size", q_size)
        k_size = self.window_size if k_size is None else self.as_window("k_size", k_size)
        q_offset = check_natural(q_offset=q_offset)
        self._check_pairs("q_size and k_size", q_size, k_size)
        if q_offset and (self.window_ndim != 1 or self.num_prefix_tokens):
            raise ValueError(
                f"q_offset is {q_offset}, but {self.bias_type!r} with {self.num_prefix_tokens} prefix "
                "tokens has none: it is for sequences (one axis) without prefix tokens"
            )
        return q_size, k_size, q_offset

    def sizes_of(self, num_tokens: int, name: str = "num_tokens") -> Sizes:
        """Return the sizes of a self-attention over `num_tokens`, prefix tokens included.

        Raises ValueError with the argument's `name` for a number of tokens that the scheme does not
        cover, or that does not say what the grid is.
        """
        any_length = self.window_ndim == 1 and self.query_tokens is None
        if same([num_tokens], [self.num_tokens]) if any_length else num_tokens == self.num_tokens:
            return self.sizes()
        length = num_tokens - self.num_prefix_tokens
        if not any_length or length < 1:
            raise ValueError(
                f"{name}: got {num_tokens} tokens, but window_size {self.window_size} with "
                f"{self.num_prefix_tokens} prefix tokens makes {self.num_tokens}"
            )
        try:
            return self.sizes(length, length)
        except ValueError as error:
            raise ValueError(f"{name}: got {num_tokens} tokens, but {error}") from None

    def _is_window(self, q_size: Size, k_size: Size, q_offset: int) -> bool:
        """Return whether these are the sizes for which the geometry is kept."""
        window = *self.query_size, *self.window_size, 0
        return same([*q_size, *k_size, q_offset], window)

    def resized(self, new_window_size: SizeLike, method: Method = "bicubic") -> Resized:
        """Return this scheme's parameters for another window, as `Resized`.

        new_window_size: tokens along each axis, as window_size; method: as `resize_table`.
        Raises ValueError/TypeError, also for a scheme that cannot be resized.
        """
        window = self.as_window("new_window_size", new_window_size)
        check_choice("method", method, METHODS)
        with torch.no_grad():
            tables = self.resized_tables(window, method)
        state = {name: x.clone() for name, x in self.state_dict().items()}
        return Resized(state | tables, self.resized_options(), tuple(tables))

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        """Return {name: value} of each parameter whose shape depends on the window, for another window.

        None unless a scheme defines this. Raises ValueError for a scheme that cannot be resized.

        window: as `as_window` returns it; method: as `resize_table`.
        """
        return {}

    def resized_options(self) -> dict[str, Any]:
        """Return the keyword options with which parameters mean the same in another window."""
        return {}

    def _check_pairs(self, name: str, q_size: Size, k_size: Size) -> None:
        """Raise ValueError if an index of these sizes would be too large."""
        lengths = [self.num_prefix_tokens + math.prod(size) for size in (q_size, k_size)]
        if math.prod(lengths) > MOST_PAIRS:
            raise ValueError(f"{name} make {lengths} tokens, expected at most {MOST_PAIRS} pairs")

    def as_window(self, name: str, size: SizeLike) -> Size:
        """Return the size as a tuple of `window_ndim` ints; one axis reads a grid row-major.

        name: of the argument, for errors. Raises ValueError/TypeError.
        """
        if self.window_ndim != 1:
            return as_sizes(name, size, self.window_ndim)
        sizes = as_sizes(name, size)
        return (math.prod(sizes),)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Apply `.to(dtype)` also to tables that are made only when they are asked for.

        The geometry moves, but is neither rounded nor emptied. It is no part of a state: a module that
        comes from the meta device makes it anew.
        """
        was_meta, like = self.index.is_meta, torch.empty(0, dtype=self.dtype, device=self.index.device)
        geometry = {name: self._buffers.pop(name) for name in sorted(self._non_persistent_buffers_set)}
        try:
            like = fn(like)
            super()._apply(fn, recurse)
        finally:
            for name, tensor in geometry.items():
                self._keep(name, None if tensor is None else _moved(tensor, like.device))
        self.dtype = like.dtype
        if was_meta and not like.is_meta:
            self._make_buffers()
        return self


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    return torch.empty_like(tensor, device=device) if tensor.is_meta else tensor.to(device)


def same(sizes: Sequence[int], others: Sequence[int]) -> bool:
    """Return whether the sizes are equal; one that torch.compile or torch.export keeps open is not."""
    if not torch.compiler.is_compiling():
        return tuple(sizes) == tuple(others)
    from torch.fx.experimental.symbolic_shapes import statically_known_true  # slow to import

    return all(statically_known_true(a == b) for a, b in zip(sizes, others, strict=True))
