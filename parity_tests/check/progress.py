"""A progress bar on a terminal, and nothing elsewhere."""

import sys


def bar(items, stream=None):
    """Yield the items; on a terminal with a bar of tqdm, or with a plain count where tqdm is missing."""
    stream = stream or sys.stderr
    if not stream.isatty():
        return iter(items)
    try:
        from tqdm import tqdm
    except ImportError:
        return _counted(items, stream)
    return tqdm(items, "cases", leave=False, file=stream)


def _counted(items, stream):
    for number, item in enumerate(items):
        print(f"\rcase {number + 1} of {len(items)}", end="", file=stream, flush=True)
        yield item
    print("\r\033[K", end="", file=stream, flush=True)
