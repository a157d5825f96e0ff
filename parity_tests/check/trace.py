"""The lines of a traceback that belong to the user's code."""

import sysconfig
import traceback
from pathlib import Path

OURS = str(Path(__file__).parent)
INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
SHOWN = 3


def last_lines(error):
    """Return up to three lines "file.py:12 in function: code", the last frames of their code.

    Without any of theirs it is the last frame of whatever library raised the error.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((OURS, "<frozen"))
    ]
    theirs = [frame for frame in frames if not frame.filename.startswith(INSTALLED)]
    shown = (theirs or frames[-1:])[-SHOWN:]
    return tuple(f"{Path(f.filename).name}:{f.lineno} in {f.name}: {f.line}" for f in shown)


def in_words(error):
    """Return the type and the first line of the message."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
