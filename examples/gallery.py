"""Draw every scheme in the same layout, with NumPy alone.

    python -m examples.gallery [scheme …] [--out docs/pictures/schemes]

Writes a picture of each scheme (<scheme>.png), a small one (thumb_<scheme>.png), and overview.png when
all are drawn. Every scheme with parameters is fitted to the same four shapes; the pictures show which of
them it can represent.
"""

import argparse
import inspect
import os
import tempfile
from pathlib import Path

import numpy as np

from experiments import plots
from experiments.cli import command, fail
from experiments.pictures import write_picture
from numpy_ref import (
    SCHEMES,
    AdamW,
    RelativePositionBias,
    learning_rate,
    parameter_groups,
    scheme_options,
    use_ops,
)

WINDOWS = {1: (32,), 2: (7, 7), 3: (2, 4, 4)}
HEADS = ("near", "one spot", "ahead", "waves")
HEAD_DIM, STEPS, LR = 16, 400, 0.03
TITLE = "What each scheme makes of the same four shapes: the bias over the offset query − key"


def along(axis, size=7):
    """Return the index (L, L) of the offsets along one axis of a size × size grid, counted from 0."""
    places = np.unravel_index(np.arange(size**2), (size, size))[axis]
    return places[:, None] - places + size - 1


def steps_around_wall(size=7):
    """Return the index (L, L) of the steps between cells of a grid with a wall.

    The wall is to the right of the middle column and has a gap in the last line.
    """
    y, x = np.divmod(np.arange(size**2), size)
    across = abs(x[:, None] - x)
    below = size - 1 - y
    parted = (x[:, None] > size // 2) != (x > size // 2)
    return across + np.where(parted, below[:, None] + below, abs(y[:, None] - y))


# {scheme: (options, remark)} where there are no defaults, or they would show little at these sizes.
EXAMPLES = {
    "custom": (
        {"window_size": (7, 7), "index": steps_around_wall()},
        "row: steps from cell to cell around a wall, right of column 3, open in the last line",
    ),
    "fire": ({"init_length": 8}, "init_length=8"),
    "gated_t5": ({"num_buckets": 16, "max_distance": 32}, "num_buckets=16, max_distance=32"),
    "halo": ({"halo_size": 2}, "halo_size=2: 3×3 queries in the middle of 7×7 keys"),
    "irpe_bias": ({"shared_head": False}, "shared_head=False: each head has a table of its own"),
    "shaw": ({"max_distance": 8}, "max_distance=8; the picture leaves the vectors of the values out"),
    "sum": (
        {
            "window_size": (7, 7),
            "parts": (
                {"bias_type": "t5", "num_buckets": 16, "max_distance": 49},
                {"bias_type": "custom", "index": along(0)},
                {"bias_type": "custom", "index": along(1)},
            ),
        },
        "parts: t5 along the reading order, a row for each Δy, a row for each Δx, as in LayoutLM",
    ),
    "t5": ({"num_buckets": 16, "max_distance": 32}, "num_buckets=16, max_distance=32"),
}


@command
def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m examples.gallery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("schemes", nargs="*", metavar="scheme", help="names; all schemes by default")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/pictures/schemes"), help="folder of the pictures"
    )
    args = parser.parse_args(argv)
    if unknown := sorted(set(args.schemes) - SCHEMES.keys()):
        fail(parser.prog, f"no scheme is called {', '.join(unknown)}; there are {', '.join(SCHEMES)}")
    names = dict.fromkeys(args.schemes or SCHEMES)
    for path in write_all(figures(names, overview=not args.schemes), args.out):
        print(path)


def figures(names, overview):
    """Yield (file, Figure) pairs, one at a time."""
    views = [view_of(name) for name in names]
    for view in views:
        yield f"{view.name}.png", plots.scheme_page(view)
        yield f"thumb_{view.name}.png", plots.scheme_thumbnail(view)
    if overview:
        yield "overview.png", plots.scheme_overview(views, TITLE, note_on(views))


def note_on(views):
    """Return the note under the overview: what the heads are, which schemes learn nothing."""
    fixed = [view.name for view in views if view.heads != HEADS]
    matrices = [view.name for view in views if view.by_offset()[0] is None]
    return (
        f"One shape per head: {', '.join(HEADS)}; 1d, 2d and 3d learn them as they are. Scales differ.\n"
        f"{', '.join(fixed)} learn nothing. {', '.join(matrices)} depend on more than the offset: "
        "they are drawn over query and key."
    )


def write_all(named_figures, out):
    """Write (file, Figure) pairs into the folder `out` after all are drawn; return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as drawn:
        files = [write_picture(figure, Path(drawn) / name) for name, figure in named_figures]
        for file in files:
            os.replace(file, out / file.name)
    return [out / file.name for file in files]


def view_of(name):
    """Return the SchemeView of a scheme built with the options in EXAMPLES, fitted if it learns."""
    options, remark = EXAMPLES.get(name, ({}, ""))
    with use_ops("numpy"):
        scheme = build(name, **options)
        inputs = query_and_key(scheme)
        learns = bool(scheme.parameters())
        if learns:
            fit(scheme, inputs)
        bias = bias_of(scheme, inputs)
        tables, indices = lookup(scheme)
    level = constants(bias, learns)
    return plots.SchemeView(
        name=name,
        what=inspect.getmodule(type(scheme)).__doc__.splitlines()[0].rstrip("."),
        how="\n".join(filter(None, (remark, origin(scheme, learns, level.any())))),
        grid=scheme.window_size,
        bias=bias - level[:, None, None],
        heads=HEADS if learns else tuple(f"head {head}" for head in range(len(HEADS))),
        queries=queries_of(scheme),
        tables=tables if scheme.looks_at_query else [table - level for table in tables],
        indices=indices,
        by_head=not hasattr(scheme, "embeddings"),
    )


def build(name, window_size=None, **options):
    if "head_dim" in scheme_options(name):
        options["head_dim"] = HEAD_DIM
    window = window_size or WINDOWS[SCHEMES[name].window_ndim]
    generator = np.random.default_rng(0)
    return RelativePositionBias(len(HEADS), window, name, generator=generator, **options).eval()


def constants(bias, learns):
    """Return what to subtract from each head, (H,).

    Softmax ignores a constant per head, and the fit does not determine it.
    """
    means = np.ma.masked_invalid(bias).mean((1, 2)).data
    return means if learns or plots.without_level(bias)[1] else np.zeros_like(means)


def origin(scheme, learns, levelled):
    """Return the lines of a picture that say where its numbers come from."""
    lines = "nothing is learned: drawn as it is"
    if learns:
        lines = f"fitted to the four shapes that all learned schemes get here ({', '.join(HEADS)})"
    if levelled:
        lines += "; each head minus its mean"
    if scheme.looks_at_query:
        seen = "input" if scheme.bias_type == "gated_t5" else "query"  # its gate reads the input
        lines += f"\none random vector per head as every {seen} (seed 0): another {seen}, another bias"
    return lines


def query_and_key(scheme):
    """Return q and k, one random vector per head at every place; () for a static scheme."""
    if not scheme.looks_at_query:
        return ()
    rng = np.random.default_rng(0)
    shape = (1, len(HEADS), 1, HEAD_DIM)
    lengths = len(queries_of(scheme)), scheme.num_tokens
    return tuple(np.repeat(rng.standard_normal(shape, np.float32), length, axis=2) for length in lengths)


def bias_of(scheme, inputs):
    """Return the bias (H, Lq, Lk); inputs: of `query_and_key`."""
    bias = scheme(*inputs)
    return bias[0] if inputs else bias


def fit(scheme, inputs):
    """Fit the bias to `shapes` by least squares, up to a constant per head, which softmax ignores."""
    wanted = shapes(scheme)
    optimizer = AdamW(parameter_groups(scheme.named_parameters(), 0.0, 1.0))
    for step in range(STEPS):
        error = bias_of(scheme, inputs) - wanted
        error = np.where(np.isfinite(error), error, 0)
        error -= error.mean((1, 2), keepdims=True)
        scheme.zero_grad()
        scheme.backward(error[None] if inputs else error)
        optimizer.step(learning_rate(step, STEPS, LR))


def shapes(scheme):
    """Return the four shapes over the offsets of the window, (H, Lq, Lk)."""
    size = scheme.window_size
    places = np.stack(np.unravel_index(np.arange(scheme.num_tokens), size), axis=-1)
    offsets = places[queries_of(scheme), None] - places  # (Lq, Lk, axes), query − key
    scale = 1 + max(size) / 10
    near = 2 * np.exp(-np.linalg.norm(offsets, axis=-1) / scale)
    spot = 2 * np.exp(-np.square(offsets - round(scale)).sum(-1) / scale)
    ahead = -np.tanh(offsets[..., -1] / scale)
    waves = np.cos(2 * np.pi * offsets.sum(-1) / (4 * scale))
    return np.stack([near, spot, ahead, waves]).astype(scheme.dtype)


def queries_of(scheme):
    """Return the places of the queries among the keys, (Lq,)."""
    return np.arange(scheme.num_tokens) if scheme.query_tokens is None else scheme.query_tokens


def lookup(scheme):
    """Return (tables, indices); a table is (R, H) of numbers, or (R, d or H·d) of vectors."""
    if not hasattr(scheme, "embeddings"):
        table, index = scheme.lookup()
        return [table], [index]
    sizes = scheme.sizes()
    embeddings = [np.concatenate(list(each), axis=-1) for each in scheme.embeddings(*sizes)]
    return embeddings, list(scheme.indices(*sizes))


if __name__ == "__main__":
    raise SystemExit(main())
