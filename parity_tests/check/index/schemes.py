"""The schemes whose index is checked: the definition of each, and the known bugs it can have.

"custom" has no index of its own, "sum" has those of its parts, and "fire" has a row for each pair.
"""

from . import bucket_mistakes as buckets
from . import grid_mistakes as grids
from . import prefix_mistakes as prefix
from . import t5_mistakes as t5
from . import table_mistakes as tables
from .buckets import IRPE, T5, Shaw
from .grids import Axes, Causal, Halo, LeViT, MaxViT, Offsets, Window

SCHEMES = {
    **dict.fromkeys(("1d", "2d", "3d"), Window),
    "maxvit": MaxViT,
    "levit": LeViT,
    **dict.fromkeys(("t5", "gated_t5"), T5),
    "shaw": Shaw,
    **dict.fromkeys(("irpe", "irpe_bias"), IRPE),
    "decomposed": Axes,
    "halo": Halo,
    **dict.fromkeys(("log_cpb", "rel_pos_mlp", "dynamic", "alibi2d"), Offsets),
    **dict.fromkeys(("dynamic_1d", "transformer_xl"), Offsets),
    **dict.fromkeys(("alibi", "kerple", "sandwich"), Causal),
}

ALL = (
    *(grids.Transposed, prefix.PrefixTokensLast, prefix.PrefixRowsFirst, prefix.PrefixLost),
    *(prefix.OnePrefixToken, prefix.PrefixReadsRow0, prefix.PrefixRowsLate, prefix.PrefixRowsEarly),
)
THREE_ROWS = (
    *(prefix.PrefixRowsSwapped, prefix.OnePrefixRow),
    *map(prefix.in_order, ((0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0))),
)
ONE_ROW = (prefix.ManyPrefixRows,)
SEQUENCE = (grids.QueriesNotMoved, prefix.PrefixInSequence)

NARROW = tuple(map(grids.overflow, ("int8", "uint8")))

TABLE = (
    *(tables.SignFlippedInTable, tables.AbsoluteOffsets, tables.NotShifted),
    *(tables.OneRowLate, tables.OneRowLateClamped, tables.OneRowLateWrapped),
    *(tables.OneRowEarly, tables.OneRowEarlyClamped, tables.OneRowEarlyWrapped),
)
SEVERAL_AXES = (tables.StrideNotDoubled, tables.NoStrides, tables.ShiftedBySize)
TWO_AXES = (
    *(grids.ColumnsFirst, tables.AxesSwapped, tables.StrideOfHeight),
    *(tables.StrideOfWidth, tables.StrideTooSmall),
    *(grids.made(tables.SignFlippedAlong, axis=axis) for axis in range(2)),
    *SEVERAL_AXES,
    *NARROW,
)
THREE_AXES = (
    *grids.in_orders(grids.TokensInOrder, "order", 3),
    *grids.in_orders(tables.RowsInOrder, "table_order", 3),
    *(grids.made(tables.SignFlippedAlong, axis=axis) for axis in range(3)),
    *(tables.StridesOfSums, tables.StrideOfTimeIsHeight, tables.StrideOfTimeIsWidth),
    *SEVERAL_AXES,
)
OF_WINDOW = (tables.TableOfGrids, tables.TableOfQueries, tables.TableOfKeys)
OF_GRIDS = (tables.TableOfWindow, tables.ShiftedByQueries)
OF_TWO_GRIDS = (*OF_GRIDS, tables.LengthsOfKeys, tables.LengthsOfQueries)

LEVIT = (
    *(grids.Signed, grids.SignedTable, grids.StrideForgotten, grids.StrideOfKeys, grids.AllQueries),
    *(grids.FewerQueries, grids.WidthIsHeight, grids.WidthDoubled, grids.WidthOfKeys),
    *(grids.DistancesAdded, grids.DistancesSwapped, grids.ColumnsFirst),
    NARROW[0],
)
AXES = (
    *(grids.SignFlippedOnAxes, grids.PlanesSwapped, grids.ColumnsFirst),
    *(grids.ShiftedOnAxes, grids.ShiftedEarlyOnAxes),
)
DECOMPOSED = (*AXES, grids.NotSpread, grids.RoundedUp, grids.ShiftedByQueriesOnAxes)
HALO = (*AXES, grids.HaloForgotten, grids.OwnCorners)

BUCKETS = (
    *(grids.SignFlipped, t5.HalfSwapped, t5.HalfWithZero, t5.NotHalved),
    *(t5.AlwaysBidirectional, t5.NeverBidirectional, t5.CausalNotClamped),
    *(t5.OneExactMore, t5.OneExactLess, t5.ExactQuartered),
    *(t5.OwnBuckets, t5.OwnDistance, t5.RoundedToNearest, t5.RoundedUpToBucket),
    *(t5.LogOfDistance, t5.LogOfWholeDistance, t5.LogsOfTwoBases),
    *(t5.LogsOfBaseTen, t5.FactorOfAllBuckets, t5.BucketNotClamped),
    *(t5.LastBucketUnused, t5.EdgesMissed),
    *(grids.made(t5.EdgesInFloat, precision=dtype) for dtype in ("float64", "float32")),
    *NARROW,
)
CLIPPED = (
    *(grids.SignFlipped, buckets.NotClipped, buckets.ClippedEarly, buckets.ClippedHalfOpen),
    *(buckets.NotFromZero, buckets.Unsigned, buckets.ShawRowLate, buckets.ShawRowEarly),
    buckets.OwnReach,
)
BOUNDS = (
    ((1, 2, 4), "ratio · (1, 2, 4)"),
    ((1, 2, 16), "ratio · (1, 2, 16)"),
    ((1, 4, 8), "ratio · (1, 4, 8)"),
    ((1, 3, 8), "ratio · (1, 3, 8)"),
    ((0.5, 2, 8), "ratio · (½, 2, 8)"),
)
METHODS = (
    *(grids.SignFlipped, grids.ColumnsFirst),
    *(buckets.RoundedDown, buckets.RoundedUpwards),
    *(grids.made(buckets.OwnBounds, factors=factors, text=text) for factors, text in BOUNDS),
    *(buckets.OwnRatio, buckets.BetaRounded, buckets.BucketsNotClamped, buckets.SignLost),
    *(buckets.ProductSwapped, buckets.ProductStride, buckets.DistanceNotRounded, buckets.QuantOfRoot),
    *(buckets.MethodIgnored, buckets.CrossSwapped, buckets.CrossInOneTable),
    *(buckets.CrossHalfWithoutPrefix, buckets.NotFromZeroBuckets),
)

KNOWN = {
    **dict.fromkeys(("t5", "gated_t5"), (*BUCKETS, *ONE_ROW, *SEQUENCE)),
    "1d": (*TABLE, *THREE_ROWS, *SEQUENCE, *OF_WINDOW),
    "2d": (*TABLE, *TWO_AXES, *THREE_ROWS, *OF_WINDOW, tables.CutFromWindow),
    "3d": (*TABLE, *THREE_AXES, *THREE_ROWS, *OF_WINDOW, tables.CutFromWindow),
    "maxvit": (*TABLE, *TWO_AXES, *ONE_ROW, *OF_WINDOW, tables.CutFromWindow),
    "levit": (*LEVIT, *THREE_ROWS),
    "shaw": (*CLIPPED, *ONE_ROW, *SEQUENCE),
    **dict.fromkeys(("irpe", "irpe_bias"), (*METHODS, *ONE_ROW)),
    "decomposed": (*DECOMPOSED, *ONE_ROW),
    "halo": (*HALO, *ONE_ROW),
    **dict.fromkeys(
        ("log_cpb", "rel_pos_mlp", "dynamic", "alibi2d"), (*TABLE, *TWO_AXES, *ONE_ROW, *OF_TWO_GRIDS)
    ),
    **dict.fromkeys(("dynamic_1d", "transformer_xl"), (*TABLE, *ONE_ROW, *OF_GRIDS)),
    **dict.fromkeys(
        ("alibi", "kerple", "sandwich"),
        (*TABLE, *OF_GRIDS, prefix.PrefixNotMasked, prefix.MaskedAlways, prefix.MaskedRowFirst),
    ),
}


def mistakes_of(scheme):
    """Return the scheme's definition with each known bug it can have, a class each."""
    return tuple(_with(mistake, SCHEMES[scheme]) for mistake in (*ALL, *KNOWN[scheme]))


def _with(mistake, reference):
    if issubclass(mistake, reference):
        return mistake
    return type(mistake.__name__, (mistake, reference), {"__doc__": mistake.__doc__})
