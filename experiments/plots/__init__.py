"""Functions that draw arrays and return a matplotlib Figure; they write no file and set no global state.

A bias is dense, (H, L, L), without prefix tokens (in a SchemeView it is (H, Lq, Lk)); grid is (h, w) or
(L,), row-major; the offset is Δ = query − key.
"""

from .attention import attention_over_images, window_attention_over_images
from .bias import before_after, bias_over_offsets, compare_schemes, one_query
from .hero import hero
from .lookup import index_matrix, offset_counts, overview, table_picture
from .offsets import bias_by_offset, count_offsets, without_level
from .scheme_page import scheme_page
from .scheme_small import scheme_overview, scheme_thumbnail
from .scheme_view import SchemeView
from .training import confusion_matrix, training_curves
from .windows import shifted_windows

__all__ = [
    "SchemeView",
    "attention_over_images",
    "before_after",
    "bias_by_offset",
    "bias_over_offsets",
    "compare_schemes",
    "confusion_matrix",
    "count_offsets",
    "hero",
    "index_matrix",
    "offset_counts",
    "one_query",
    "overview",
    "scheme_overview",
    "scheme_page",
    "scheme_thumbnail",
    "shifted_windows",
    "table_picture",
    "training_curves",
    "window_attention_over_images",
    "without_level",
]
