"""Both twins against the clock: checked first, then timed in turns in one process."""
