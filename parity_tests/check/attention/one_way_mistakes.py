"""Known bugs in one direction only, and those of kernels that make P anew in backward."""

from functools import cached_property

import numpy as np

from .reference import Reference


class Recomputed(Reference):
    """A kernel that keeps what softmax divided by, and in backward makes P anew from the scores."""

    def scores(self):
        return self.masked(self.logits())

    def scores_again(self):
        """The scores as backward computes them."""
        return self.scores()

    def kept_of_softmax(self):
        """The largest score of each query and log Σ exp(score − largest): (B, H, Lq, 1) both

        Apart, as their sum would be a rounding error of the largest score off.
        """
        scores = self.scores()
        largest = scores.max(-1, keepdims=True)
        return largest, np.log(np.exp(scores - largest).sum(-1, keepdims=True))

    @cached_property
    def weights_again(self):
        largest, log_sum = self.kept_of_softmax()
        powers = np.exp(self.scores_again() - largest - log_sum)
        return powers.astype(self.range_of).astype(np.float64)

    def dv(self):
        return self.weights_again.swapaxes(-1, -2) @ self.dout

    @cached_property
    def dscores(self):
        delta = (self.out() * self.dout).sum(-1, keepdims=True)
        return self.weights_again * (self.dout @ self.v.swapaxes(-1, -2) - delta)

    def asked_of(self, mistake):
        """Return another mistake with the same arguments."""
        return mistake(**{name: getattr(self, name) for name in ARGUMENTS})


ARGUMENTS = ("dout", "q", "k", "v", "table", "index", "mask", "scale", "grids", "range_of")


class NoMaximumInForward(Recomputed):
    """the maximum is not subtracted before exp, which overflows for large scores"""

    def powers(self):
        return np.exp(self.scores().astype(self.range_of)).astype(np.float64)

    @cached_property
    def weights(self):
        powers = self.powers()
        return powers / powers.sum(-1, keepdims=True)

    def kept_of_softmax(self):
        return 0.0, np.log(self.powers().sum(-1, keepdims=True))


class MaximumAlone(Recomputed):
    """backward divides by exp(m) alone: log Σ exp(s − m) is missing"""

    def kept_of_softmax(self):
        largest, log_sum = super().kept_of_softmax()
        return largest, 0 * log_sum


class LogSumAlone(Recomputed):
    """backward's log Σ exp(s − m) lacks the largest score m"""

    def kept_of_softmax(self):
        largest, log_sum = super().kept_of_softmax()
        return 0 * largest, log_sum


class LogSumInBaseTwo(Recomputed):
    """backward takes log₂ Σ exp(s − m) for the natural logarithm"""

    def kept_of_softmax(self):
        largest, log_sum = super().kept_of_softmax()
        return largest, log_sum / np.log(2)


class LseInBaseTwo(Recomputed):
    """backward takes log₂ Σ exp(s) for the natural logarithm: P = exp(s − log₂ Σ)"""

    factor = 1 / np.log(2)

    def kept_of_softmax(self):
        return tuple(self.factor * kept for kept in super().kept_of_softmax())


class LseInBaseE(LseInBaseTwo):
    """backward takes log Σ exp(s) for the logarithm to base 2: P = exp2(s log₂ e − log Σ)"""

    factor = np.log(2)


SUMS = (MaximumAlone, LogSumAlone, LogSumInBaseTwo, LseInBaseTwo, LseInBaseE)


def named(mistake, base, words):
    """Return the base with the mistake's name and words."""
    given = {"__doc__": f"{mistake.__doc__} ({words})", "family": base.__name__}
    return type(f"{mistake.__name__}{base.__name__}", (base,), given)


def _scores_of(mistake):
    class Scores(Recomputed):
        def scores(self):
            other = self.asked_of(mistake)
            return other.masked(other.logits())

        @cached_property
        def weights(self):
            return self.softmax(self.scores())

    return Scores


def in_scores(mistake):
    """Return the mistake of the lookup in the scores of both directions; dtable has the right rows."""
    return named(mistake, _scores_of(mistake), "not in dtable")


def in_forward(mistake):
    """Return the mistake in the scores of forward only; backward makes P anew without it."""

    class Forward(_scores_of(mistake)):
        def scores_again(self):
            return Recomputed.scores(self)

    return named(mistake, Forward, "in forward only")


def in_backward(mistake):
    """Return the mistake in the scores of backward only."""

    class Backward(Recomputed):
        def scores_again(self):
            other = self.asked_of(mistake)
            return other.masked(other.logits())

    return named(mistake, Backward, "in backward only")


def in_dtable(mistake):
    """Return the mistake of the lookup in dtable only."""

    class Dtable(Recomputed):
        def scatter(self, ds):
            return self.asked_of(mistake).scatter(ds)

    return named(mistake, Dtable, "in dtable only")
