"""Train a vision transformer with relative position bias: one loop that drives either twin."""

import math
import shlex
import sys
import time
from pathlib import Path

from tqdm import tqdm

from . import checkpoint, runs
from .build import build_trainer, load_dataset, steps_per_epoch
from .cli import MISTAKES, add_backend, command, fail, parse, parser_for, use_threads
from .compiling import compiled_ahead
from .config import add_sections, to_config
from .data.batches import batches
from .evaluate import report

PROGRAM = "experiments.train"


@command
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = parser_for(PROGRAM, __doc__)
    add_backend(parser)
    parser.add_argument(
        "--run", type=str | None, help="folder of the run; default runs/<data>-<twin>-<time>"
    )
    parser.add_argument(
        "--resume",
        type=str | None,
        help="folder of a run to continue, to the same bits; no option but --backend goes with it",
    )
    add_sections(parser)
    options = parse(parser, argv)
    try:
        threads = use_threads(options.backend)
        config = _config(options, argv)
        with compiled_ahead(options.backend, config.model.dtype):
            folder, dataset, trainer, progress = _set_up(options, config)
    except MISTAKES as error:
        fail(parser.prog, error)
    _introduce(options.backend, config, dataset, trainer, folder, threads)
    try:
        seconds = train(folder, config, dataset, trainer, progress)
    except KeyboardInterrupt:
        print(f"\ninterrupted; continue with: python -m {PROGRAM} --resume {shlex.quote(str(folder))}")
        return 130
    except FloatingPointError as error:
        print(f"training stopped: {error}", file=sys.stderr)
        return 1
    _finish(options.backend, config, dataset, trainer, folder, seconds)
    return 0


def train(folder, config, dataset, trainer, progress):
    """Run the epochs that are left; returns the seconds spent in them."""
    epochs = config.training.epochs
    per_epoch = steps_per_epoch(config, dataset)
    first, seconds = progress["epoch"] + 1, 0.0
    with tqdm(
        total=epochs * per_epoch, initial=(first - 1) * per_epoch, unit="step", disable=None
    ) as bar:
        for epoch in range(first, epochs + 1):
            row = _train_epoch(epoch, config, dataset, trainer, bar)
            seconds += row["seconds"]
            bar.write(runs.record(folder, row), file=sys.stdout)
            sys.stdout.flush()
            _save(folder, trainer, progress, row)
    return seconds


def _train_epoch(epoch, config, dataset, trainer, bar):
    """One pass over the training split and a look at the validation split -> a row of metrics."""
    training, data = config.training, config.data
    started, seen, loss_sum, correct = time.perf_counter(), 0, 0.0, 0
    for images, labels in batches(
        dataset.train,
        training.batch_size,
        training.seed,
        epoch,
        data.max_shift,
        data.flip,
        dataset.black,
    ):
        step = trainer.train_step(images, labels)
        seen += len(labels)
        loss_sum += step.loss * len(labels)
        correct += step.correct
        speed = seen / (time.perf_counter() - started)
        bar.set_postfix_str(
            f"epoch {epoch} loss {loss_sum / seen:.4f} accuracy {correct / seen:.4f} {speed:.0f} img/s",
            refresh=False,
        )
        bar.update()
    val = trainer.evaluate(dataset.val.images, dataset.val.labels)
    return {
        "epoch": epoch,
        "epochs": training.epochs,
        "step": trainer.optimizer.steps,
        "lr": step.lr,
        "train_loss": loss_sum / seen,
        "train_accuracy": correct / seen,
        "val_loss": val.loss,
        "val_accuracy": val.correct / len(dataset.val.labels),
        "seconds": time.perf_counter() - started,
        "images_per_second": speed,
    }


def _save(folder, trainer, progress, row):
    """best first, last second: killed in between, the epoch is done again and gives the same best."""
    arrays, state = trainer.state_dict()
    better = row["val_accuracy"] >= progress["best_val_accuracy"]
    progress |= state | {"epoch": row["epoch"]}
    if better:
        progress["best_val_accuracy"] = row["val_accuracy"]
        checkpoint.save(folder / "best.safetensors", arrays, progress)
    checkpoint.save(folder / "last.safetensors", arrays, progress)


def _config(options, argv):
    """Of the run that is continued, or from the command line."""
    if not options.resume:
        return to_config(options)
    given = [a.split("=")[0] for a in argv if a.startswith("--")]
    if extra := [a for a in given if a not in ("--resume", "--backend")]:
        raise ValueError(
            f"--resume continues a run as it was configured, but got {', '.join(extra)} too"
        )
    return runs.config_of(Path(options.resume))


def _set_up(options, config):
    """(folder, dataset, trainer, progress); the folder is written last, when all fits."""
    if options.resume:
        return _set_up_resumed(Path(options.resume), options.backend, config)
    dataset = load_dataset(config.data)
    trainer = build_trainer(options.backend, config, dataset)
    folder = runs.create(config, options.backend, options.run)
    return folder, dataset, trainer, {"epoch": 0, "best_val_accuracy": -math.inf}


def _set_up_resumed(folder, backend, config):
    if not (folder / "last.safetensors").exists():  # killed within the first epoch
        if len(runs.read_metrics(folder)) > 1:
            raise ValueError(f"{folder} has several epochs of metrics, but no last.safetensors")
        runs.rewind(folder, 0)
        dataset = load_dataset(config.data)
        trainer = build_trainer(backend, config, dataset)
        return folder, dataset, trainer, {"epoch": 0, "best_val_accuracy": -math.inf}
    checkpoint.load(folder / "best.safetensors")  # damaged, it would only be missed at the end
    _, progress = checkpoint.load(folder / "last.safetensors")
    _, dataset, trainer = runs.load(folder, backend, "last")
    runs.rewind(folder, progress["epoch"])
    return folder, dataset, trainer, progress


def _introduce(backend, config, dataset, trainer, folder, threads):
    sizes = [len(split.labels) for split in (dataset.train, dataset.val, dataset.test)]
    count = sum(math.prod(p.shape) for p in trainer.model.parameters())
    grid = "x".join(map(str, trainer.model.patch_embed.grid_size))
    relative = config.relative_position
    kind = relative.position + (f" {relative.bias_type}" if "relative" in relative.position else "")
    print(f"data    {dataset.name}: {sizes[0]} training, {sizes[1]} validation, {sizes[2]} test images")
    print(f"model   {count:,} parameters, {grid} patches, position {kind}")
    print(f"twin    {backend} on {trainer.device}, threads: {threads}")
    print(f"run     {folder}", flush=True)


def _finish(backend, config, dataset, trainer, folder, seconds):
    """Evaluate the best checkpoint on the test split, draw, and say what to do next."""
    arrays, progress = checkpoint.load(folder / "best.safetensors")
    trainer.load_state_dict(arrays, progress)
    accuracy = report(folder, dataset, trainer, "test")["accuracy"]
    if config.visualization.enabled:
        from .visualize import draw

        drawn = draw(folder, config, dataset, trainer, runs.read_metrics(folder))
        print(f"drawn   {len(drawn)} pictures in {folder}/pictures")
    quoted = shlex.quote(str(folder))
    print(f"trained for {seconds:.1f} s; the best epoch was {progress['epoch']}")
    print("next    python -m experiments.evaluate " + quoted)
    print("        python -m experiments.visualize " + quoted)
    other = "torch" if backend == "numpy" else "numpy"
    print(f"        python -m experiments.evaluate {quoted} --backend {other}")
    print(f"test_accuracy={accuracy:.4f} run={folder}")


if __name__ == "__main__":
    sys.exit(main())
