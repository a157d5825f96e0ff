"""Relative logits of BoTNet (arXiv 2101.11605) and HaloNet (arXiv 2103.12731 §3)."""

from torch import Tensor

from ..checks import check_natural
from ..nn import Parameter
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike, Sizes
from ._axes import AxesBias
from ._geometry import axis_offsets, tokens_at
from ._window import check_covered


class Halo(AxesBias):
    """Multiply the query with a vector for the row's offset plus one for the column's:
    bias[b, h, i, j] = q[b, h, i] · (height_rel[Δy + height − 1] + width_rel[Δx + width − 1]),
    Δ = query − key.

    The window (height, width) holds the keys. q is not scaled (timm's scale_pos_embed=False). timm's
    PosEmbedRel counts key − query, each from its own corner: its row along an axis is
    2 · size − 2 + halo_size − (this row).

    head_dim: width d of a head.
    halo_size: above 0 the queries are the block in the middle of the window, halo_size tokens from its
        border, each with its place in the window (HaloNet); with 0 every token is a query (BoTNet).

    Prefix tokens: no bias. Sizes at call time: any within the window.
    State: height_rel (2 · height − 1, d) and width_rel (2 · width − 1, d), shared by the heads,
    truncated normal (timm: normal of std d^(−1/2)).
    Source: arXiv 2101.11605; arXiv 2103.12731 §3. Used by BoTNet, HaloNet.
    """

    bias_type = "halo"
    table_names = ("height_rel", "width_rel")

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        head_dim: int,
        halo_size: int = 0,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        self.halo_size: int = check_natural(halo_size=halo_size)
        super().__init__(num_heads, window_size, init_std, head_dim, num_prefix_tokens, dtype, generator)
        self.height_rel, self.width_rel = (
            Parameter(
                truncated_normal(self.generator, (2 * size - 1, head_dim), self.init_std, self.dtype)
            )
            for size in self.window_size
        )

    @property
    def query_size(self) -> Size:
        return tuple(size - 2 * self.halo_size for size in self.window_size)

    def _make_query_tokens(self) -> Tensor | None:
        if self.halo_size == 0:
            return None
        middle = slice(self.halo_size, -self.halo_size)
        return tokens_at(self.window_size, self.num_prefix_tokens, middle, self.index.device)

    def axis_rows(self, q_length: int, k_length: int, size: int) -> Tensor:
        return axis_offsets(q_length, k_length, self.halo_size, device=self.index.device) + size - 1

    def as_window(self, name: str, size: SizeLike) -> Size:
        size = super().as_window(name, size)
        if name.endswith("window_size") and min(size) <= 2 * self.halo_size:
            raise ValueError(f"{name} is {size}, expected more than twice halo_size {self.halo_size}")
        return size

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        q_size, k_size, q_offset = super().sizes(q_size, k_size, q_offset)
        last_query = tuple(size - 1 + self.halo_size for size in q_size)
        check_covered(self, q_size, k_size, q_offset, last_query)
        return q_size, k_size, q_offset
