"""Make a run for images of another size from a trained one; its bias tables are interpolated.

The new run begins with the weights of RUN, its optimizer with nothing. `experiments.evaluate` evaluates
it as it is, `experiments.train --resume` trains it.
"""

import importlib
import shlex
import sys
from dataclasses import replace

from . import runs
from .build import build_trainer, import_twin, load_dataset
from .cli import MISTAKES, command, fail, loaded_run, parse, parser_of_a_run
from .config import check
from .files import locked


@command
def main(argv=None):
    parser = parser_of_a_run("experiments.resize", __doc__)
    parser.add_argument(
        "--image-size",
        type=list[int] | int,
        required=True,
        help="height and width in pixels, or one number for both; the patches keep their size",
    )
    parser.add_argument(
        "--window-size",
        type=list[int] | int | None,
        help="of a Swin, in tokens: height and width, or one number for both; default that of RUN",
    )
    parser.add_argument(
        "--method",
        type=str,
        default="bicubic",
        help="bicubic (Swin) or linear stretches a table; geometric (BEiT) keeps near offsets near",
    )
    parser.add_argument(
        "--run", type=str | None, help="folder of the new run; default runs/<data>-<twin>-<time>"
    )
    parser.add_argument("--epochs", type=int | None, help="of the new run; default those of RUN")
    parser.add_argument("--lr", type=float | None, help="peak learning rate; default that of RUN")
    options = parse(parser, argv)
    training = {name: options[name] for name in ("epochs", "lr") if options[name] is not None}
    window = {} if options.window_size is None else {"window_size": options.window_size}
    try:
        run, trainer = loaded_run(options)
        twin = options.backend or run.twin
        new, reports = resize(
            run, trainer, twin, options.image_size, options.method, options.run, training, window
        )
    except MISTAKES as error:
        fail(parser.prog, error)
    _introduce(run, new, reports, options.method)
    return 0


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
    kept = kept_options(model)
    own = model.arguments["rpb_kwargs"] or {}
    scheme = {name: value for name, value in own.items() if name != "window_size"}
    kept["rpb_kwargs"] = scheme | kept.get("rpb_kwargs", {}) or None
    new = type(model)(**(model.arguments | {"dtype": model.dtype} | kept | arguments))
    twin = importlib.import_module(type(model).__module__.partition(".")[0])
    new.load_state_dict(resized_state(twin, model, new, method)[0])
    if model.preprocessing is not None:
        new.preprocessing = {name: model.preprocessing[name] for name in ("mean", "std")}
    new.classes = model.classes
    return new.eval()


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
        report = resized.report if window != scheme.window_size else f"copied, the window stays {window}"
        reports.setdefault(report, []).append(name)
    if "pos_embed" in state:  # a Swin has none
        grids = old.patch_embed.grid_size, new.patch_embed.grid_size
        prefix = old.num_prefix_tokens
        state["pos_embed"] = twin.resize_pos_embed(state["pos_embed"], *grids, method, prefix)
        reports["interpolated pos_embed"] = ["the model"]
    return state, reports


def _introduce(run, new, reports, method):
    was, now = ("x".join(map(str, each.data.image_shape[1:])) for each in (run, new))
    print(f"images  {now} instead of {was}, method {method}")
    for report, names in reports.items():
        print(f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {report}")
    quoted = shlex.quote(str(new.folder))
    print(f"run     {new.folder}")
    print(f"next    python -m experiments.evaluate {quoted}")
    print(f"        python -m experiments.train --resume {quoted}")


if __name__ == "__main__":
    sys.exit(main())
