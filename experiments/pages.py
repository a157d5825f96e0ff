"""Text of generated Markdown pages."""

import textwrap

WIDTH = 100


def wrapped(text):
    """Return the text wrapped at WIDTH columns; further lines of a "- " item are indented."""
    return "\n".join(
        textwrap.fill(
            line,
            WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )
