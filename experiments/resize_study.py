"""Take a small vision transformer to larger images: each scheme, each method of resizing its tables.

It is trained on the digits at 8x8 pixels. For each larger size it is evaluated as it is, then trained
for a few epochs and evaluated again. What is finished is not repeated, so the same command continues.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from . import checkpoint, resize, runs
from .build import build_trainer, import_twin, load_dataset
from .cli import MISTAKES, command, fail, parse, parser_for, use_threads
from .comparison import results
from .comparison.rows import ROWS
from .config import load_config
from .distributed.evaluation import evaluated
from .files import make_folder, write_whole
from .train import train

TWIN = "numpy"
CONFIG = Path(__file__).parents[1] / "configs" / "resize.yaml"
SIZES = (12, 16)
AS_THEY_ARE = "as they are"  # no parameter depends on the window
STRETCHED = "stretched"  # coordinates scaled by the new window, not by the one of training
FRESH = "fresh"  # parameters that depend on the window begin anew
SCRATCH = "from scratch"  # everything begins anew, with all epochs
INTERPOLATED = ("bicubic", "geometric", "linear", FRESH)
METHODS = {
    "none": (AS_THEY_ARE,),
    "absolute": ("bicubic", "linear", FRESH),
    "1d": INTERPOLATED,
    "2d": (*INTERPOLATED, SCRATCH),
    "levit": INTERPOLATED,
    "decomposed": INTERPOLATED,
    "t5": (AS_THEY_ARE,),
    "alibi2d": (AS_THEY_ARE,),
    "log_cpb": (AS_THEY_ARE, STRETCHED),
    "rel_pos_mlp": (AS_THEY_ARE,),
    "dynamic": (AS_THEY_ARE,),
}
MORE = {"lr": 1e-3, "warmup_epochs": 0.5}  # of the epochs at the new size


@command
def main(argv=None):
    parser = parser_for("experiments.resize_study", __doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--schemes", type=list[str] | None, help=f"some of {', '.join(METHODS)}")
    parser.add_argument("--epochs", type=int | None, help="at 8x8 pixels; default that of configs")
    parser.add_argument("--more_epochs", type=int, default=3, help="at each larger size")
    parser.add_argument("--out", type=str, default="runs/resize-study", help="folder of the results")
    options = parse(parser, argv)
    try:
        use_threads(TWIN)
        folder, config, found, left = _set_up(options)
    except MISTAKES as error:
        fail(parser.prog, error)
    try:
        with threadpool_limits(1):
            _run_all(folder, config, options.more_epochs, found, left)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues from here")
        return 130
    from .comparison import resize_page  # matplotlib takes a second to import

    for path in resize_page.write(folder, found):
        print(f"written {path}")
    return 0


def _set_up(options):
    """Return (folder, Config, results so far, [(scheme, seed)] still to run)."""
    names = options.schemes or list(METHODS)
    if unknown := [name for name in names if name not in METHODS]:
        raise ValueError(f"--schemes has {', '.join(unknown)}, expected some of {', '.join(METHODS)}")
    for name in ("seeds", "more_epochs"):
        if options[name] < 1:
            raise ValueError(f"--{name} is {options[name]}, expected at least 1")
    config = load_config(CONFIG)
    if options.epochs is not None:
        config = replace(config, training=replace(config.training, epochs=options.epochs))
    folder = Path(options.out)
    found = results.load(folder, _settings(config, options.more_epochs), {})
    left = [(n, s) for s in range(options.seeds) for n in names if not results.has(found, n, s)]
    build_trainer(TWIN, config, load_dataset(config.data).summary)  # a bad option is reported now
    make_folder(folder)
    return folder, config, found, left


def _settings(config, more_epochs):
    """Return all settings that the results depend on, apart from the scheme and the seed."""
    sections = asdict(config)
    del sections["visualization"], sections["relative_position"], sections["training"]["seed"]
    sections = results.on_record(sections) | {"model": config.model.options()}
    return {"backend": TWIN, **sections, "sizes": list(SIZES), "more": MORE | {"epochs": more_epochs}}


def _run_all(folder, config, more_epochs, found, left):
    started = time.perf_counter()
    for number, (name, seed) in enumerate(left, start=1):
        print(f"[{number}/{len(left)}] {name}, seed {seed}", flush=True)
        result = study(config, name, seed, more_epochs)
        seeds = found["rows"].setdefault(name, {"settings": ROWS[name].settings, "seeds": {}})["seeds"]
        seeds[str(seed)] = result
        write_whole(folder / results.NAME, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        spent = time.perf_counter() - started
        print(
            f"    {result['accuracy']:.4f} at {config.data.name}'s own size; "
            f"{spent / number * (len(left) - number) / 60:.0f} min left",
            flush=True,
        )


def study(config, name, seed, more_epochs):
    """Train a scheme with a seed, then take it to the other sizes; return the test accuracies.

    {"accuracy": at its own size, "sizes": {size: {method: {"before": …, "after": more epochs}}}}
    """
    position = replace(config.relative_position, **ROWS[name].settings)
    training = replace(config.training, seed=seed)
    config = replace(config, relative_position=position, training=training)
    dataset = load_dataset(config.data)
    trained = build_trainer(TWIN, config, dataset.summary)
    _train(config, dataset, trained)
    return {
        "accuracy": _accuracy(trained, dataset),
        "sizes": {
            str(size): {
                method: _at_another_size(config, trained, size, method, more_epochs)
                for method in METHODS[name]
            }
            for size in SIZES
        },
    }


def _at_another_size(config, trained, size, method, more_epochs):
    epochs = config.training.epochs
    more = {} if method == SCRATCH else MORE
    more = more | {"epochs": more_epochs + (epochs if method == SCRATCH else 0)}
    new_config = resize.resized_config(config, trained.model, size, more)
    if method == STRETCHED:
        position = replace(new_config.relative_position, rpb_kwargs=config.relative_position.rpb_kwargs)
        new_config = replace(new_config, relative_position=position)
    dataset = load_dataset(new_config.data)
    trainer = build_trainer(TWIN, new_config, dataset.summary)
    if method != SCRATCH:
        trainer.model.load_state_dict(_state(trained.model, trainer.model, method))
    before = _accuracy(trainer, dataset)
    _train(new_config, dataset, trainer)
    return {"before": before, "after": _accuracy(trainer, dataset)}


def _state(old, new, method):
    """Return the state dict for the new model."""
    if method == FRESH:
        kept, fresh = old.state_dict(), new.state_dict()
        return {k: kept[k] if kept[k].shape == fresh[k].shape else fresh[k] for k in fresh}
    any_method = "bicubic"  # for schemes that need none
    method = any_method if method in (AS_THEY_ARE, STRETCHED) else method
    return resize.resized_state(import_twin(TWIN), old, new, method)[0]


def _train(config, dataset, trainer):
    """Train all epochs of the config; leave the trainer with the best epoch's weights."""
    with tempfile.TemporaryDirectory() as name:
        run = runs.create(Path(name), config, TWIN, trainer.device, dataset.summary)
        with contextlib.redirect_stdout(io.StringIO()):  # drop the line that each epoch prints
            train(run, dataset, trainer, dict(runs.FRESH))
        trainer.load_state_dict(*checkpoint.load(run.folder / runs.BEST))


def _accuracy(trainer, dataset):
    return evaluated(trainer, dataset.test).correct / len(dataset.test.labels)


if __name__ == "__main__":
    sys.exit(main())
