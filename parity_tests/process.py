"""Run code in a new Python process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONG = 1800  # seconds; even on a busy machine only a hang takes so long


def python(code, *arguments, cwd=ROOT, **environment):
    """Run the code and return what it prints; raise CalledProcessError if it fails."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, stdout=subprocess.PIPE, text=True, timeout=LONG
    )
    done.check_returncode()
    return done.stdout
