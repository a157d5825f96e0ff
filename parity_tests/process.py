"""Code in a Python process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONG = 1800  # seconds: only what hangs takes them, however busy the machine


def python(code, *arguments, cwd=ROOT, **environment):
    """What the code prints; fails when it does."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, stdout=subprocess.PIPE, text=True, timeout=LONG
    )
    done.check_returncode()
    return done.stdout
