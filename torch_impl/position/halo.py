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
    """bias[b, h, i, j] = q[b, h, i] · (height_rel[Δy + h − 1] + width_rel[Δx + w − 1]), Δ = query − key.

    window_size (h, w) holds the keys; with halo_size > 0 the queries are the block in its middle,
    (h − 2·halo, w − 2·halo), each with its place in the window (HaloNet); with 0 every token is one
    (BoTNet). q is not scaled (timm's scale_pos_embed=False). height_rel (2h − 1, d) and width_rel
    (2w − 1, d) are shared by the heads, truncated normal (timm: normal of std d^(−1/2)). timm's
    PosEmbedRel counts key − query, each from its own corner: its row is 2h − 2 + halo less ours. Prefix
    tokens: no bias. At call time any sizes within the window. Used by BoTNet, HaloNet.
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
        self.halo_size = check_natural(halo_size=halo_size)
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

    @property
    def query_tokens(self) -> Tensor | None:
        if self.halo_size == 0:
            return None
        middle = slice(self.halo_size, -self.halo_size)
        return tokens_at(self.window_size, self.num_prefix_tokens, middle)

    def axis_rows(self, q_length: int, k_length: int, size: int) -> Tensor:
        return axis_offsets(q_length, k_length, self.halo_size) + size - 1

    def as_window(self, name: str, size: SizeLike) -> Size:
        size = super().as_window(name, size)
        if name == "window_size" and min(size) <= 2 * self.halo_size:
            raise ValueError(
                f"window_size is {size}, expected more than twice halo_size {self.halo_size}"
            )
        return size

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        q_size, k_size, q_offset = super().sizes(q_size, k_size, q_offset)
        last_query = tuple(size - 1 + self.halo_size for size in q_size)
        check_covered(self, q_size, k_size, q_offset, last_query)
        return q_size, k_size, q_offset
