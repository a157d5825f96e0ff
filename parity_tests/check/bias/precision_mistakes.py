"""Steps of the lookup in a precision lower than they should have, as `attention.precision_mistakes`."""

from ..attention import precision_mistakes as of_attention
from ..noise import Noise
from .mistakes import of_bias
from .reference import BiasReference

DtableSummed = of_bias(of_attention.DtableSummed)
OTHER_ORDERS = (of_attention.DtableInOrder, of_attention.DtableInBlocks, of_attention.DtableInTree)


class BiasRounded(Noise, BiasReference):
    """the table, or the bias, is rounded to {dtype}"""

    order: str | None = None

    def bias(self):
        return self.rounded(super().bias())


class Everything(BiasRounded, DtableSummed):
    """the table, or the bias, is rounded to {dtype}, and dtable is accumulated in it"""


IMPRECISE = (BiasRounded, DtableSummed, *map(of_bias, OTHER_ORDERS), Everything)
