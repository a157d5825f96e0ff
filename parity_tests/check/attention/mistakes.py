"""Known bugs of attention kernels: each overrides the steps of `Reference` that it changes.

The docstring is what the verdict says. Two bugs at once are a class with both as bases.
"""

import numpy as np

from .backward_mistakes import BACKWARD
from .lookup_mistakes import LOOKUP
from .one_way_mistakes import SUMS, NoMaximumInForward, in_backward, in_dtable, in_forward, in_scores
from .reference import Reference
from .tile_mistakes import TILES

# scores; the backward of a kernel that is differentiated has the same bug


class ScaleOnBias(Reference):
    """the scale multiplies the bias too: scale · (q kᵀ + bias)"""

    def bias_factor(self):
        return self.scale


class ScaleTwice(Reference):
    """the scale is applied twice: scale² · q kᵀ"""

    def product_factor(self):
        return self.scale**2


class NoScale(Reference):
    """q kᵀ is not scaled"""

    def product_factor(self):
        return 1.0


class OwnScale(Reference):
    """the scale is always 1/√d, whatever `scale` says"""

    def product_factor(self):
        return self.q.shape[-1] ** -0.5


class NoBias(Reference):
    """the bias is not added"""

    def bias_factor(self):
        return 0.0


class BiasSubtracted(Reference):
    """the bias is subtracted"""

    def bias_factor(self):
        return -1.0


class BiasInBaseTwo(Reference):
    """the bias lacks the factor log₂ e of a softmax with exp2"""

    # github.com/meta-pytorch/segment-anything-fast/pull/71

    def bias_factor(self):
        return np.log(2)


def kept(mistake):
    """Return the mistake in forward only: P is kept, and the factors in backward are right."""

    class Kept(mistake):
        __doc__ = f"{mistake.__doc__} (in forward only)"

        def product_factor_backward(self):
            return self.scale

        def bias_factor_backward(self):
            return 1.0

    Kept.__name__ = f"{mistake.__name__}Kept"
    return Kept


FACTORS = (ScaleOnBias, ScaleTwice, NoScale, OwnScale, NoBias, BiasSubtracted, BiasInBaseTwo)


# mask


class NoMask(Reference):
    """the mask is not added"""

    def masked(self, logits):
        return logits


class MaskOfWrongWindow(Reference):
    """the mask is of the wrong window: mask[b // (B / nW)] for mask[b mod nW]"""

    def mask_of_batch(self):
        if self.mask is None or self.mask.ndim < 4:
            return self.mask
        return self.mask.repeat(len(self.q) // len(self.mask), 0)


class MaskOfFirstWindow(Reference):
    """every window uses the first window's mask"""

    def mask_of_batch(self):
        return self.mask if self.mask is None or self.mask.ndim < 4 else self.mask[:1]


class MaskOfFirstHead(Reference):
    """every head uses the first head's mask"""

    def mask_of_batch(self):
        mask = super().mask_of_batch()
        return mask if mask is None or mask.ndim < 3 else mask[..., :1, :, :]


class MaskTransposed(Reference):
    """queries and keys are swapped in the mask"""

    def mask_of_batch(self):
        mask = super().mask_of_batch()
        square = mask is not None and mask.ndim > 1 and mask.shape[-1] == mask.shape[-2]
        return mask.swapaxes(-1, -2) if square else mask


class BiasAfterMask(Reference):
    """the bias is added after the mask has replaced the scores: masked pairs keep their bias"""

    def masked(self, logits):
        mask, bias = self.mask_of_batch(), self.bias()
        return logits if mask is None else ((logits - bias) * (mask == 0) + mask) + bias


class MaskReplaces(Reference):
    """the mask replaces the scores: in a row that is masked throughout all keys weigh the same"""

    def masked(self, logits):
        mask = self.mask_of_batch()
        return logits if mask is None else np.where(mask < 0, mask, logits)


class MaskOfInfinity(Reference):
    """masked pairs get −∞: a row that is masked throughout is NaN"""

    def masked(self, logits):
        mask = self.mask_of_batch()
        return logits if mask is None else np.where(mask < 0, -np.inf, logits)


class StopsAtMask(Reference):
    """A kernel that is differentiated: what the mask replaces gets no gradient."""

    def unmasked(self, ds):
        mask = self.mask_of_batch()
        return ds if mask is None else np.where(mask < 0, 0, ds)

    def softmax_backward(self, p, dp):
        return self.unmasked(super().softmax_backward(p, dp))


class MaskReplacesAlone(StopsAtMask, MaskReplaces):
    __doc__ = MaskReplaces.__doc__


class MaskOfInfinityAlone(StopsAtMask, MaskOfInfinity):
    __doc__ = MaskOfInfinity.__doc__


class BiasAfterMaskAlone(BiasAfterMask):
    __doc__ = BiasAfterMask.__doc__

    def dq(self):
        return self.product_factor_backward() * self.of_products() @ self.k

    def dk(self):
        return self.product_factor_backward() * self.of_products().swapaxes(-1, -2) @ self.q

    def of_products(self):
        """The gradient of the scores that the mask does not replace; the bias has all of it."""
        return StopsAtMask.unmasked(self, self.dscores)


MASKS = (NoMask, MaskOfWrongWindow, MaskOfFirstWindow, MaskOfFirstHead, MaskTransposed)


# softmax


class SoftmaxOverQueries(Reference):
    """the softmax runs over the queries, not over the keys"""

    softmax_axis = -2


class NoMaximum(Reference):
    """the maximum is not subtracted before exp, which overflows for large scores"""

    def softmax(self, scores):
        powers = np.exp(scores.astype(self.range_of)).astype(np.float64)
        return powers / powers.sum(-1, keepdims=True)


# numbers


class DenormalsFlushed(Reference):
    """numbers below the smallest normal one are taken for 0, as -ffast-math and FTZ do"""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        for name in ("dout", "q", "k", "v", "table"):
            setattr(self, name, self.flushed(getattr(self, name)))

    def flushed(self, x):
        smallest = np.finfo(self.range_of).tiny
        return x if x is None else np.where(np.abs(x) < smallest, 0.0, x)

    def result(self, name):
        return self.flushed(super().result(name))


MISTAKES = (
    *(*FACTORS, *map(kept, FACTORS)),
    *(*MASKS, BiasAfterMaskAlone, MaskReplacesAlone, MaskOfInfinityAlone),
    *(BiasAfterMask, MaskReplaces, MaskOfInfinity, SoftmaxOverQueries, NoMaximum, NoMaximumInForward),
    DenormalsFlushed,
    *(*LOOKUP, *map(in_dtable, LOOKUP), *map(in_scores, LOOKUP)),
    *(*map(in_forward, FACTORS[1:4]), *map(in_backward, (*FACTORS, *MASKS, *LOOKUP))),
    *(*SUMS, *BACKWARD),
    *TILES,
)
