"""Text of generated Markdown pages."""

import textwrap

WIDTH = 100


def wrapped(text):
    """The text with each line filled to at most WIDTH columns; what follows a "- " is indented."""
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
