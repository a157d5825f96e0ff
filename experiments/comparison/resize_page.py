"""The page of the study of image sizes: a picture and a table."""

from pathlib import Path
from statistics import fmean

from experiments.files import write_whole
from experiments.pages import wrapped


def write(folder, results):
    """Write README.md and resize.png into the folder; return their paths."""
    from experiments.pictures import write_picture  # matplotlib takes a second to import
    from experiments.plots.resize import resize_study

    folder, settings = Path(folder), results["settings"]
    title = f"Trained at 8×8, taken to larger images: {settings['data']['name']}"
    write_whole(folder / "README.md", markdown(results))
    return [
        folder / "README.md",
        write_picture(resize_study(rows(results), title), folder / "resize.png"),
    ]


def rows(results):
    """Return [(scheme, method, {size: {"own", "before", "after": accuracies of the seeds}})]."""
    found = []
    for name, row in results["rows"].items():
        seeds = list(row["seeds"].values())
        own = [seed["accuracy"] for seed in seeds]
        sizes = [seed["sizes"] for seed in seeds]
        for method in next(iter(sizes[0].values())):
            at = {
                size: {key: [s[size][method][key] for s in sizes] for key in ("before", "after")}
                | {"own": own}
                for size in sizes[0]
            }
            found.append((name, method, at))
    return found


def markdown(results):
    settings, sizes = results["settings"], results["settings"]["sizes"]
    head = (
        "| scheme | method | 8×8 |" + "".join(f" {n}×{n} | after training |" for n in sizes) + " runs |"
    )
    rule = "| --- | --- |" + " ---: |" * (2 + 2 * len(sizes))
    lines = [_line(*row) for row in rows(results)]
    return "\n".join(
        [wrapped(_introduction(settings)), head, rule, *lines, "", wrapped(_notes(settings))]
    )


def _line(name, method, at):
    own = next(iter(at.values()))["own"]
    cells = [_percent(own)]
    for size in at.values():
        cells += [_percent(size["before"]), _percent(size["after"])]
    return f"| `{name}` | {method} | {' | '.join(cells)} | {len(own)} |"


def _percent(accuracies):
    """Return the mean, and the worst and the best, in per cent."""
    mean, low, high = (100 * f(accuracies) for f in (fmean, min, max))
    return f"{mean:.1f} ({low:.1f} – {high:.1f})"


def _introduction(settings):
    data, model, training = (settings[section] for section in ("data", "model", "training"))
    return f"""# Larger images: {data["name"]}

A small vision transformer ({model["depth"]} layers of {model["num_heads"]} heads, width \
{model["embed_dim"]}, patches of {model["patch_size"]} pixels) trained for {training["epochs"]} epochs \
at 8×8 pixels, then taken to the same images enlarged: evaluated as it is, and after \
{settings["more"]["epochs"]} epochs more. Made by `python -m experiments.resize_study`; all settings \
and runs are in [results.json](results.json).

![Test accuracy at each size, before and after more training](resize.png)

Test accuracy in per cent: the mean over the seeds, in brackets the worst and the best.
"""


def _notes(settings):
    more, training = settings["more"], settings["training"]
    return f"""How to read it:

- `bicubic`, `geometric` and `linear` interpolate the tables, or the absolute embedding. `fresh` draws \
them anew and keeps all other weights. `as they are`: no parameter depends on the window; `log_cpb` \
scales its coordinates by the window of 8×8 images (pretrained_window_size). `stretched`: by the new \
window. `from scratch` trains everything at the larger size, for \
{training["epochs"] + more["epochs"]} epochs in all; before that its accuracy is chance.
- The images are enlarged by Pillow's bilinear filter and show nothing new. A patch covers less of the \
digit than in training, so the patches look different too: `none`, which has no positions, shows what \
that costs.
- Distances grow with the image: what was at offset 2 is at offset 3 or 4. Stretching a table follows \
that. A larger window on images of the same scale is another question.
- More training has a learning rate of {more["lr"]:g} and {more["warmup_epochs"]:g} epochs of warm-up. \
The accuracy is that of the epoch with the best validation accuracy.
- All seeds use the same split, with 270 test images: one is 0.37 points. Where ranges overlap, the \
runs do not show which is better.
"""
