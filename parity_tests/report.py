"""The report of `make parity`, printed and written: a line per case, the device, the versions."""

import json
import os
import platform
import sys
from pathlib import Path

import numba
import numpy as np

from .budget import is_gradient

COLUMNS = ("case", "dtype", "error out", "error grad", "share of budget", "")


def device():
    """Return "cuda" or "cpu", as the variable DEVICE says: auto (default), cpu or cuda.

    Raises ValueError for another value, RuntimeError for cuda where there is none.
    """
    wanted = os.environ.get("DEVICE") or "auto"
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"DEVICE is {wanted!r}, expected auto, cpu or cuda")
    if wanted == "cpu":
        return "cpu"
    found = _cuda().is_available()
    if wanted == "cuda" and not found:
        raise RuntimeError("DEVICE=cuda, but PyTorch sees no CUDA device")
    return "cuda" if found else "cpu"


def dtypes():
    """Return the dtypes in the variable DTYPES=a,b; by default float64 and float32, on CUDA all four."""
    if os.environ.get("DTYPES"):
        return tuple(os.environ["DTYPES"].split(","))
    return ("float64", "float32") + (("float16", "bfloat16") if device() == "cuda" else ())


def device_name():
    if device() == "cuda":
        return f"cuda: {_cuda().get_device_name()}"
    return f"cpu: {platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def versions():
    """Return {package: version}; PyTorch only if already imported, as kernels are tested without it."""
    named = {"python": platform.python_version()}
    modules = [np, numba, *filter(None, [sys.modules.get("torch")])]
    return named | {m.__name__: str(m.__version__) for m in modules}


def _cuda():
    import torch

    return torch.cuda


def lines(results):
    """Return a line of strings per case and dtype; results: {(case id, dtype): [budget.Row]}."""
    return [_line(case_id, dtype, rows) for (case_id, dtype), rows in results.items()]


def _line(case_id, dtype, rows):
    gradients = [r.max_error for r in rows if is_gradient(r.tensor)]
    outputs = [r.max_error for r in rows if not is_gradient(r.tensor)]
    worst = max(rows, key=lambda r: (r.budget_share != r.budget_share, r.budget_share))
    verdict = "ok" if worst.ok else f"FAIL {worst.tensor} {worst.side}".rstrip()
    errors = [f"{np.max(e):.1e}" if e else "-" for e in (outputs, gradients)]
    return (case_id, dtype, *errors, f"{100 * worst.budget_share:.2g}%", verdict)


def summary(results):
    failed = sum(not all(r.ok for r in rows) for rows in results.values())
    worst = max((r.budget_share for rows in results.values() for r in rows), default=0.0)
    listed = ", ".join(f"{name} {version}" for name, version in versions().items())
    return (
        f"{len(results)} comparisons, {failed} over budget, largest share {worst:.1%}\n"
        f"device {device_name()}\nversions {listed}"
    )


def text_table(results):
    table = [COLUMNS, *lines(results)]
    widths = [max(len(row[c]) for row in table) for c in range(len(COLUMNS))]
    rows = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in table)
    return "\n".join(row.rstrip() for row in rows)


def write(results, folder):
    """Write parity.md and parity.json into the folder, each replaced whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    markdown = [" | ".join(row) for row in (COLUMNS, ["---"] * len(COLUMNS), *lines(results))]
    body = "\n".join(f"| {line} |" for line in markdown)
    text = summary(results).replace("\n", "  \n")
    write_whole(folder / "parity.md", f"# Parity of the twins\n\n{text}\n\n{body}\n")
    cases = [
        {
            "id": case_id,
            "dtype": dtype,
            "tensor": row.tensor,
            "side": row.side,
            "max_error": number(row.max_error),
            "budget_share": number(row.budget_share),
            "ok": row.ok,
        }
        for (case_id, dtype), rows in results.items()
        for row in rows
    ]
    content = {"device": device_name(), "versions": versions(), "cases": cases}
    write_whole(folder / "parity.json", json.dumps(content, indent=1) + "\n")


def number(value):
    """Return the number, or a string for inf and NaN, which JSON does not have."""
    return float(value) if np.isfinite(value) else str(value)


def write_whole(path, text):
    """Replace the file by the text, whole or not at all."""
    partial = path.with_suffix(path.suffix + ".part")
    partial.write_text(text)
    os.replace(partial, path)
