"""Kernels to begin with, a file per kind and library: right, short, and run by the tests.

They are files to copy, not modules: `rpb-check --template torch --kind bias > mykernel.py`.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
TEMPLATES = ("numpy", "torch", "triton", "jax", "cupy", "mlx", "c")


def template(kind, library):
    """Return the text of a template. Raises ValueError, saying which there are."""
    path = FOLDER / kind / f"{library}_kernel.py"
    if not path.is_file():
        there = sorted(p.name.removesuffix("_kernel.py") for p in path.parent.glob("*_kernel.py"))
        raise ValueError(
            f"there is no template of the kind {kind} for {library}, only {', '.join(there) or 'none'}"
        )
    return path.read_text(encoding="utf-8")
