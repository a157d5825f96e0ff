"""Run the command `rpb-check` (`python -m parity_tests.check`), and handle Ctrl-C."""

import sys

INTERRUPTED = 130  # as a shell says it of SIGINT


def main(argv=None):
    """Run the command and return its exit code."""
    try:
        from .command import run  # NumPy's import takes most of the start: it may be interrupted too

        return run(argv)
    except KeyboardInterrupt:
        print("\nrpb-check: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
