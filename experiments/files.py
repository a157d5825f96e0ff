"""Files that are written whole or not at all."""

import os
from pathlib import Path


def write_whole(path, content):
    """Write bytes or text beside the file, flush it to disk, then put it in place in one step."""
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(path.name + ".part")
    with open(partial, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
