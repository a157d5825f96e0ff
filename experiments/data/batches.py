"""Shuffled, augmented batches of one epoch."""

from collections.abc import Iterator

import numpy as np

from experiments.data.augmentation import NONE, Augmentation
from experiments.data.plan import Plan, draw_moves


def batches(
    split,
    batch_size: int,
    seed: int,
    epoch: int,
    max_shift: int = 0,
    flip: bool = False,
    fill: np.ndarray | None = None,
    augmentation: Augmentation = NONE,
    num_classes: int = 0,
    share: tuple[int, int] = (0, 1),
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches (images (B, C, H, W), labels (B,)) of one shuffled epoch; the last may be short.

    Order, shift and flip of each image depend on (seed, epoch) only, not on the batch size; the rest
    of its augmentation on (seed, epoch, its row in the split). How a batch is mixed depends on (seed,
    epoch, where it starts in the order).
    split: a Split or a StreamedSplit; only the latter can be augmented image by image.
    max_shift (pixels), flip, fill (C,): see `moved`; with a shift, give `Dataset.black`.
    num_classes: needed to mix images; the labels are then shares (B, num_classes).
    share: (rank, ranks) of this process, which gets rows B·rank // ranks to B·(rank + 1) // ranks of
        each batch, maybe none. It reads no others, but for the one that is mixed into its first.
    Raises ValueError at once, before the first batch is asked for.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    for argument, value in (("seed", seed), ("epoch", epoch), ("max_shift", max_shift)):
        if value < 0:
            raise ValueError(f"{argument}: expected at least 0, got {value}")
    rank, ranks = share
    if not 0 <= rank < ranks:
        raise ValueError(f"share: expected (rank, ranks) with rank in [0, ranks), got {share}")
    channels = split.image_shape[0]
    if max_shift and np.shape(fill) != (channels,):
        raise ValueError(f"fill: a shift needs shape ({channels},), got {fill}")
    if augmentation.mixes and num_classes <= split.labels.max():
        raise ValueError(
            f"num_classes: expected more than the labels' {split.labels.max()}, got {num_classes}"
        )
    common = {"max_shift": max_shift, "fill": fill, "augmentation": augmentation}
    common |= {"num_classes": num_classes, "seeds": (seed, epoch)}
    return split.read(_plans(len(split.labels), batch_size, flip, share, common))


def _plans(count: int, batch_size: int, flip: bool, share: tuple[int, int], common: dict):
    rng = np.random.default_rng(common["seeds"])
    order = rng.permutation(count)
    for start in range(0, count, batch_size):
        rows = order[start : start + batch_size]
        moves = draw_moves(rng, len(rows), common["max_shift"], flip)
        kept, neighbour = _kept(len(rows), share, common["augmentation"].mixes)
        yield Plan(
            rows[kept],
            None if moves is None else moves[kept],
            start=start,
            neighbour=neighbour,
            **common,
        )


def _kept(count: int, share: tuple[int, int], mixes: bool) -> tuple[np.ndarray, bool]:
    """Return the places in the batch that this process reads, and whether the first is a neighbour."""
    rank, ranks = share
    own = np.arange(count * rank // ranks, count * (rank + 1) // ranks)
    if not mixes or ranks == 1 or not len(own):
        return own, False
    return np.concatenate([[(own[0] - 1) % count], own]), True
