"""The kinds of kernels that can be judged."""

from .attention import ATTENTION
from .bias import BIAS

KINDS = {kind.name: kind for kind in (ATTENTION, BIAS)}
