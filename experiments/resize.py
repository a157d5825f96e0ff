"""Make a run for images of another size from a trained one; its bias tables are interpolated.

The new run begins with the weights of RUN, its optimizer with nothing. `experiments.evaluate` evaluates
it as it is, `experiments.train --resume` trains it.
"""

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
    try:
        run, trainer = loaded_run(options)
        twin = options.backend or run.twin
        new, reports = resize(
            run, trainer, twin, options.image_size, options.method, options.run, training
        )
    except MISTAKES as error:
        fail(parser.prog, error)
    _introduce(run, new, reports, options.method)
    return 0


def resize(run, trainer, twin, image_size, method, name=None, training=None):
    """Write the new run and return it with {what was done: names of the schemes}.

    trainer: of the run, in this twin. name: folder of the new run. training: options that change.
    Raises one of MISTAKES, before anything is written.
    """
    methods = import_twin(twin).resize.METHODS
    if method not in methods:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(methods)}")
    config = resized_config(run.config, trainer.model, image_size, training or {})
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


def resized_config(config, model, image_size, training):
    """Return the config for the image size, with the options that the position biases then need."""
    position = replace(config.relative_position, window_size=None)
    position.rpb_kwargs = position.rpb_kwargs | common_options(model.rel_pos_biases())
    data = replace(config.data, image_size=image_size)
    training = replace(config.training, **training)
    config = replace(config, relative_position=position, data=data, training=training)
    check(config)
    return config


def common_options(schemes):
    """Return the options that all schemes need after a change of their window; raises ValueError.

    A config has one set of options, so layers that need different ones cannot be resized.
    """
    needed = {name: scheme.resized_options() for name, scheme in schemes.items()}
    first = next(iter(needed), None)
    for name, options in needed.items():
        if options != needed[first]:
            raise ValueError(
                f"{first} needs {needed[first]} after a resize and {name} needs {options}, "
                "but a run has one set of options for all its layers"
            )
    return needed[first] if needed else {}


def resized_state(twin, old, new, method):
    """Return the new model's state dict, and {what was done: names of the schemes}."""
    state, reports, windows = dict(old.state_dict()), {}, new.rel_pos_biases()
    for name, scheme in old.rel_pos_biases().items():
        window = windows[name].window_size
        if window == scheme.window_size:
            reports.setdefault("kept, as its window has the same size", []).append(name)
            continue
        resized = scheme.resized(window, method)
        state |= {f"{name}.{key}": value for key, value in resized.state.items()}
        reports.setdefault(resized.report, []).append(name)
    if getattr(old, "pos_embed", None) is not None:  # a Swin has none
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
