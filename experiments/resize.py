"""Make a run, or a model, for images of another size from a trained one; bias tables are interpolated.

FOLDER is a run, or a model that `save_pretrained`, experiments.export or experiments.convert wrote. A
new run begins with the weights of FOLDER, its optimizer with nothing: `experiments.evaluate` evaluates
it as it is, `experiments.train --resume` trains it. A new model is a folder for `from_pretrained`.
"""

import importlib
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from . import runs
from .build import build_trainer, import_twin, load_dataset
from .cli import (
    MISTAKES,
    add_size,
    as_size,
    command,
    fail,
    loaded_run,
    parse,
    parser_of_a_run,
    use_threads,
)
from .config import check
from .files import locked

OF_RUNS = ("epochs", "lr")


@command
def main(argv=None):
    backend = "the one that trained the run; numpy for a model (torch for one in half precision)"
    parser = parser_of_a_run(
        "experiments.resize", __doc__, "folder of a run, or of a model", otherwise=backend
    )
    add_size(parser, "--image-size", "in pixels, the patches keep their size", required=True)
    add_size(parser, "--window-size", "of a Swin, in tokens, default that of FOLDER")
    parser.add_argument(
        "--method",
        type=str,
        default="bicubic",
        help="bicubic (Swin) or linear stretches a table; geometric (BEiT) keeps near offsets near",
    )
    parser.add_argument(
        "--out", type=str | None, help="the new folder; default of a run runs/<data>-<twin>-<time>"
    )
    parser.add_argument("--epochs", type=int | None, help="of the new run; default those of FOLDER")
    parser.add_argument("--lr", type=float | None, help="of the new run, peak; default that of FOLDER")
    options = parse(parser, argv)
    try:
        (_resize_run if is_run(options.folder) else _resize_folder)(options)
    except MISTAKES as error:
        fail(parser.prog, error)
    return 0


def is_run(folder):
    """Return whether a folder is to be read as a run: unless it has a model's config.json."""
    return not (Path(folder) / "config.json").is_file()


def _resize_run(options):
    training = {name: options[name] for name in OF_RUNS if options[name] is not None}
    run, trainer = loaded_run(options)
    sizes = as_size(options.image_size), options.method
    new, reports = resize(
        run, trainer, options.backend or run.twin, *sizes, options.out, training, _window(options)
    )
    was, now = (each.data.image_shape[1:] for each in (run, new))
    _introduce(was, now, reports, options.method)
    quoted = shlex.quote(str(new.folder))
    print(f"run     {new.folder}")
    print(f"next    python -m experiments.evaluate {quoted}")
    print(f"        python -m experiments.train --resume {quoted}")


def _resize_folder(options):
    """Read the model in a folder, and write the resized one into another."""
    given = [name for name in OF_RUNS if options[name] is not None]
    given += ["checkpoint"] if options.checkpoint != "best" else []
    if given:
        raise ValueError(f"{options.folder} is a model, and --{given[0]} is for a run")
    if options.out is None:
        raise ValueError(f"{options.folder} is a model: --out is required, the folder of the new one")
    backend = options.backend or "numpy"
    use_threads(backend)
    old = import_twin(backend).from_pretrained(options.folder)
    window = _window(options)
    if window and "window_size" not in old.arguments:
        raise ValueError(
            f"window_size is {window['window_size']}, but the window of a {type(old).__name__} is its "
            "whole grid of patches"
        )
    new, reports = _resized(old, options.method, img_size=as_size(options.image_size), **window)
    new.save_pretrained(options.out)
    _introduce(old.patch_embed.img_size, new.patch_embed.img_size, reports, options.method)
    print(f"model   {options.out}")


def _window(options):
    return {} if options.window_size is None else {"window_size": as_size(options.window_size)}


def resize(run, trainer, twin, image_size, method, name=None, training=None, of_model=None):
    """Write the new run and return it with {what was done: names of the schemes}.

    trainer: of the run, in this twin. name: folder of the new run.
    training, of_model: options of these sections that change.
    Raises one of MISTAKES, before anything is written.
    """
    methods = import_twin(twin).resize.METHODS
    if method not in methods:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(methods)}")
    config = resized_config(run.config, trainer.model, image_size, training or {}, of_model or {})
    summary = load_dataset(config.data).summary
    run.data.check_same(
        replace(summary, image_shape=run.data.image_shape, mean=run.data.mean, std=run.data.std)
    )
    new = build_trainer(twin, config, summary)
    state, reports = resized_state(import_twin(twin), trainer.model, new.model, method)
    new.model.load_state_dict(state)
    arrays, progress = new.state_dict()
    folder = runs.folder_for(config, twin, name)
    with locked(folder):
        start = arrays, runs.FRESH | progress
        return runs.create(folder, config, twin, new.device, summary, start), reports


def resized_model(model, method="bicubic", **arguments):
    """Return a model of either twin for another image or window, with its weights, in evaluation mode.

    method: as `resize_table`.
    arguments: of the constructor, such as img_size and window_size, in place of the model's own.
    Raises ValueError/TypeError for arguments that do not fit, or a scheme that cannot be resized.
    """
    return _resized(model, method, **arguments)[0]


def _resized(model, method, **arguments):
    """Return the model, and {what was done: names of the schemes}."""
    kept = kept_options(model)
    own = model.arguments["rpb_kwargs"] or {}
    scheme = {name: value for name, value in own.items() if name != "window_size"}
    kept["rpb_kwargs"] = scheme | kept.get("rpb_kwargs", {}) or None
    new = type(model)(**(model.arguments | {"dtype": model.dtype} | kept | arguments))
    twin = importlib.import_module(type(model).__module__.partition(".")[0])
    state, reports = resized_state(twin, model, new, method)
    new.load_state_dict(state)
    if model.preprocessing is not None:
        kept = dict(model.preprocessing)
        kept.pop("image_size", None)
        new.preprocessing = kept
    new.classes = model.classes
    return new.eval(), reports


def resized_config(config, model, image_size, training, of_model=None):
    """Return the config for the image size, with the options that the position biases then need."""
    kept = kept_options(model)
    position = replace(config.relative_position, window_size=None)
    position.rpb_kwargs = position.rpb_kwargs | kept.pop("rpb_kwargs", {})
    data = replace(config.data, image_size=image_size)
    training = replace(config.training, **training)
    sized = replace(config.model, **kept, **(of_model or {}))
    config = replace(config, model=sized, relative_position=position, data=data, training=training)
    check(config)
    return config


def kept_options(model):
    """Return the model's arguments with which its position biases mean the same in other windows.

    They are `rpb_kwargs` if all blocks need the same ones. The stages of a Swin may have different
    windows: then they are `pretrained_window_sizes`.
    """
    options = {name: scheme.resized_options() for name, scheme in model.rel_pos_biases().items()}
    if not any(options.values()):
        return {}
    first, *others = options.values()
    different = [each for each in others if each != first]
    if not different:
        return {"rpb_kwargs": first}
    if any(each.keys() != {"pretrained_window_size"} for each in [first, *different]):
        raise ValueError(f"the stages need different rpb_kwargs: {first} and {different[0]}")
    stages = {name.split(".")[1]: list(each["pretrained_window_size"]) for name, each in options.items()}
    return {"pretrained_window_sizes": list(stages.values())}


def resized_state(twin, old, new, method):
    """Return the new model's state dict, and {what was done: names of the schemes}."""
    state, reports, windows = dict(old.state_dict()), {}, new.rel_pos_biases()
    for name, scheme in old.rel_pos_biases().items():
        window = windows[name].window_size
        resized = scheme.resized(window, method)
        state |= {f"{name}.{key}": value for key, value in resized.state.items()}
        report = _done(resized) if window != scheme.window_size else f"copied, the window stays {window}"
        reports.setdefault(report, []).append(name)
    if "pos_embed" in state:  # a Swin has none
        grids = old.patch_embed.grid_size, new.patch_embed.grid_size
        prefix = old.num_prefix_tokens
        state["pos_embed"] = twin.resize_pos_embed(state["pos_embed"], *grids, method, prefix)
        reports["interpolated pos_embed"] = ["the model"]
    return state, reports


def _done(resized):
    """Return what was done for a scheme whose new model has the options that it needs."""
    options = [f"{name}={value!r}" for name, value in resized.options.items()]
    return "; ".join([resized._replace(options={}).report, *(f"with {each}" for each in options)])


def _introduce(was, now, reports, method):
    """Print what was done; was, now: the sizes of the images."""
    was, now = ("x".join(map(str, size)) for size in (was, now))
    print(f"images  {now} instead of {was}, method {method}")
    for report, names in reports.items():
        print(f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {report}")


if __name__ == "__main__":
    sys.exit(main())
