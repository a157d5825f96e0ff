"""The kinds of kernels that can be judged."""

from .attention import ATTENTION

KINDS = {kind.name: kind for kind in (ATTENTION,)}
