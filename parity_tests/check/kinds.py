"""The kinds of kernels that can be judged."""

from .attention import ATTENTION
from .bias import BIAS
from .index import INDEX
from .resize import RESIZE
from .shift import SHIFT
from .windows import REVERSE, WINDOWS

KINDS = {kind.name: kind for kind in (ATTENTION, BIAS, INDEX, WINDOWS, REVERSE, SHIFT, RESIZE)}
