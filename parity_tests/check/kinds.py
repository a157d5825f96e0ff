"""The kinds of kernels that can be judged."""

from .attention import ATTENTION
from .index import INDEX

KINDS = {kind.name: kind for kind in (ATTENTION, INDEX)}
