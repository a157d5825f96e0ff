"""The page of a comparison: a picture, a table and notes."""

from pathlib import Path

from experiments.files import write_whole
from experiments.pages import wrapped

from .rows import LEFT_OUT

HEAD = (
    "| row | what | sees | test accuracy (%) | worst – best | runs | position parameters "
    "| of these ×{factor} | parameters | ms per step |"
)


def write(folder, results):
    """Write README.md and comparison.png into the folder; returns their paths."""
    from experiments.pictures import write_picture  # matplotlib takes a second to import
    from experiments.plots.comparison import comparison

    rows = ranked(results)
    settings = results["settings"]
    folder = Path(folder)
    title = f"Position, compared: {settings['data']['name']}, {settings['training']['epochs']} epochs"
    write_whole(folder / "README.md", markdown(results))
    return [folder / "README.md", write_picture(comparison(rows, title), folder / "comparison.png")]


def ranked(results):
    """Return [(name, row)] by mean accuracy, the best first; ties by the number of parameters."""
    return sorted(
        results["rows"].items(),
        key=lambda item: (-item[1]["test_accuracy"]["mean"], item[1]["position_parameters"]),
    )


def markdown(results):
    settings, rows = results["settings"], ranked(results)
    head = HEAD.format(factor=f"{settings['training']['table_lr_factor']:g}")
    rule = "|" + " --- |" * 3 + " ---: |" * 7
    return "\n".join(
        [
            wrapped(_introduction(settings)),
            head,
            rule,
            *[_line(*r) for r in rows],
            "",
            wrapped(_notes(settings)),
        ]
    )


def _line(name, row):
    accuracy = row["test_accuracy"]
    cells = [
        f"`{name}`",
        row["what"],
        row["sees"] + (", looks at the query" if row["looks_at_query"] else ""),
        f"{100 * accuracy['mean']:.1f}",
        f"{100 * accuracy['min']:.1f} – {100 * accuracy['max']:.1f}",
        f"{len(row['seeds'])}",
        f"{row['position_parameters']:,}",
        f"{row['table_parameters']:,}",
        f"{row['parameters']:,}",
        f"{row['milliseconds_per_step']:.1f}",
    ]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _introduction(settings):
    data, model, training = (settings[section] for section in ("data", "model", "training"))
    grid = "×".join(map(str, settings["grid"]))
    return f"""# Position, compared: {data["name"]}

The same vision transformer ({model["depth"]} layers of {model["num_heads"]} heads, width \
{model["embed_dim"]}, {grid} patches) trained for {training["epochs"]} epochs with every scheme; only \
the position differs. Made by `python -m experiments.compare`; all settings and runs are in \
[results.json](results.json).

![Test accuracy, position parameters and time per step of every row](comparison.png)
"""


def _notes(settings):
    images, factor = settings["images"]["test"], settings["training"]["table_lr_factor"]
    cosine = "on" if settings["model"]["cosine_attention"] else "off"
    left_out = "\n".join(f"- Left out: `{name}`, because {why}." for name, why in LEFT_OUT.items())
    return f"""How to read it:

- A run is one seed, which sets weights, data order and dropout; all runs use the same split. The test \
accuracy is that of the epoch with the best validation accuracy. One of the {images:,} test images is \
{100 / images:.2g} points. Where the ranges of two rows overlap, the runs do not show which is better.
- The hyperparameters are the same for all rows and were chosen with `2d`. Only tables, of numbers or \
of vectors, learn at {factor:g} times the common rate (docs/training.md says why); all other position \
parameters learn at the common rate. A scheme may do better with a rate of its own.
- `log_cpb` is meant for cosine attention, which is {cosine} here.
- `halo` and `decomposed` have the same formula and the same random start here, so their results are \
equal. `maxvit` is `2d` with another layout of the table, so that only the random start differs: the \
difference between these two rows shows its effect.
- Position parameters are those that `none` lacks.
- A step is {settings["training"]["batch_size"]} images on {settings["training"]["device"]} in the \
{settings["backend"]} twin with one thread. Its time is the median over the steps of a run, then the \
minimum over the runs. Other work on the machine can only lengthen it.
{left_out}
"""
