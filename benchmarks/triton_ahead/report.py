"""The report of the kernels that were compiled: Markdown to read, JSON to compare."""

import json
from dataclasses import asdict

import triton

from experiments.files import make_folder, write_whole

from . import roofline

TEXT = """# Triton kernels, compiled ahead

Nothing on this page ran on a GPU. `python -m benchmarks.triton_ahead` writes it, with triton
{version} and its ptxas.

## Registers, spills and shared memory

{count} kernels were compiled. {verdict}.

Each was compiled with a mask; "offsets" has prefix tokens too, and what can be causal is. A cell
with two numbers has "index" first, then "offsets". M×N is the tile, d the channels. A thread has at
most 255 registers; a stack holds what was spilled.

{resources}

## On paper: time

**Calculated, not measured.** The least time, forward + backward in µs, in which a GPU can move the
bytes and do the FLOPs, in half precision, with a table under offsets. To sort the sums of a tile
into rows of the table is not counted. SDPA is PyTorch's fused attention with the bias as its mask.
Its backward writes the mask's gradient, and does five products of a tile where the passes for
tiles do nine. It is counted as one perfect kernel.

{times}

{peaks}

## On paper: a tile

**Calculated.** FLOPs and bytes of a step, which is a tile of pairs with the rows that it reads and
writes, on an H100. The rows of tiles come from the L2 cache, those of windows from memory. An H100
does {balance} FLOPs in the time in which it reads a byte from memory.

{tiles}
"""


def faults(rows):
    """Return a line per kernel that spills, or takes too much shared memory."""
    return [
        f"{variant.name} {variant.gpu} {variant.dtype} d {variant.channels} {variant.mode}: {fault}"
        for variant, found in rows
        for fault in found.faults(variant.gpu)
    ]


def write(folder, rows):
    """Write report.md and report.json; return their paths."""
    make_folder(folder)
    numbers = {
        "triton": triton.__version__,
        "kernels": [variant.asdict() | asdict(found) for variant, found in rows],
    }
    write_whole(folder / "report.md", text(rows))
    write_whole(folder / "report.json", json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    return folder / "report.md", folder / "report.json"


def text(rows):
    wrong = faults(rows)
    gpu = roofline.GPUS["H100 SXM"]
    return TEXT.format(
        version=triton.__version__,
        count=len(rows),
        verdict="None spills, and each fits" if not wrong else f"{len(wrong)} have faults",
        resources=_table(*_resources(rows)),
        peaks=_table(*_peaks()),
        times=_table(*_times()),
        balance=f"{gpu.half / gpu.bandwidth:.0f}",
        tiles=_table(*_tiles(gpu)),
    )


def _resources(rows):
    cells = {}
    for variant, found in rows:
        m, n, warps, stages = variant.tile
        key = (variant.gpu, variant.dtype, variant.name, variant.channels, f"{m}×{n}", warps, stages)
        cells.setdefault(key, []).append(found)
    head = ["GPU", "dtype", "pass", "d", "M×N", "warps", "stages", "registers", "stack", "shared KB"]
    return head, [[*key, *_both(found)] for key, found in cells.items()]


def _both(found):
    numbers = ([each.registers for each in found], [each.stack for each in found])
    cells = [", ".join(map(str, reversed(each))) for each in numbers]
    return [*cells, f"{max(each.shared for each in found) / 1024:.0f}"]


def _times():
    head = ["workload", "B, H, L, d"]
    for name in roofline.GPUS:
        head += [name, "SDPA"]
    rows = []
    for work in roofline.WORKLOADS:
        row = [work.name, f"{work.batch}, {work.heads}, {work.tokens}, {work.dim}"]
        for gpu in roofline.GPUS.values():
            row += [_sum(roofline.expected(work, gpu)), _sum(roofline.expected_of_sdpa(work, gpu))]
        rows.append(row)
    return head, rows


def _sum(times):
    forward, backward = (1e6 * each for each in times)
    return f"{forward:,.0f} + {backward:,.0f}"


def _tiles(gpu):
    head = ["workload", "pass", "M×N", "FLOPs", "bytes", "FLOPs per byte"]
    rows = []
    for work in (roofline.WORKLOADS[1], roofline.WORKLOADS[3], roofline.WORKLOADS[6]):
        for name in sum(roofline.passes(work, gpu), ()):
            flops, number = roofline.intensity(name, work, gpu)
            tile = roofline.tile_of(name, work, gpu)
            size = f"{tile.m}×{tile.n}"
            rows.append([work.name, name, size, f"{flops:,}", f"{number:,}", f"{flops / number:.0f}"])
    return head, rows


def _peaks():
    rows = [
        [name, f"{gpu.bandwidth / 1e9:.0f}", f"{gpu.half / 1e12:.0f}", f"{gpu.single / 1e12:g}"]
        for name, gpu in roofline.GPUS.items()
    ]
    return ["GPU", "GB/s", "TFLOP/s, half precision", "TFLOP/s, float32"], rows


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
