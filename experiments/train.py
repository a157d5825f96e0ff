"""Train a vision transformer or a Swin with relative position bias: one loop that drives either twin."""

import math
import shlex
import sys
import time
from contextlib import ExitStack

from tqdm import tqdm

from . import checkpoint, events, metrics, runs
from .build import build_trainer, epoch_batches, load_dataset, steps_per_epoch
from .cli import MISTAKES, add_backend, command, fail, parse, parser_for, use_threads
from .compiling import compiled_ahead
from .config import add_sections, to_config
from .data.pixels import UnreadableImageError
from .evaluate import evaluated, report
from .files import locked
from .versions import differences

PROGRAM = "experiments.train"
DEFAULT_TWIN = "numpy"


@command
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = parser_for(PROGRAM, __doc__)
    add_backend(parser, f"{DEFAULT_TWIN}, or that of the run that is continued")
    parser.add_argument(
        "--run", type=str | None, help="folder of the run; default runs/<data>-<twin>-<time>"
    )
    parser.add_argument(
        "--resume",
        type=str | None,
        help="folder of a run to continue, with the same bits as without a break; allows no other "
        "option than --backend and --data.root",
    )
    add_sections(parser)
    options = parse(parser, argv)
    with ExitStack() as held:  # the lock, while anything is written
        try:
            opened = _open_resumed(options, argv) if options.resume else None
            twin = opened.twin if opened else options.backend or DEFAULT_TWIN
            config = opened.config if opened else to_config(options)
            threads = use_threads(twin)
            with compiled_ahead(twin, config.model.dtype, config.model.has_cosine_attention):
                set_up = _resume(opened, held) if opened else _start(config, twin, options.run, held)
        except MISTAKES as error:
            fail(parser.prog, error)
        return _train_and_finish(*set_up, threads)


def _train_and_finish(run, dataset, trainer, progress, threads):
    _introduce(run, trainer, threads)
    try:
        seconds = train(run, dataset, trainer, progress)
    except KeyboardInterrupt:
        quoted = shlex.quote(str(run.folder))
        print(f"\ninterrupted; continue with: python -m {PROGRAM} --resume {quoted}")
        return 130
    except (FloatingPointError, UnreadableImageError) as error:
        print(f"training stopped: {error}", file=sys.stderr)
        return 1
    _finish(run, dataset, trainer, seconds)
    return 0


def train(run, dataset, trainer, progress):
    """Run the remaining epochs and return the seconds they took."""
    epochs = run.config.training.epochs
    per_epoch = steps_per_epoch(run.config, run.data)
    first, seconds = progress["epoch"] + 1, 0.0
    with tqdm(
        total=epochs * per_epoch, initial=(first - 1) * per_epoch, unit="step", disable=None
    ) as bar:
        for epoch in range(first, epochs + 1):
            row = _train_epoch(epoch, run.config, dataset, trainer, bar)
            seconds += row["seconds"]
            bar.write(metrics.record(run.folder, row), file=sys.stdout)
            sys.stdout.flush()
            _save(run, trainer, progress, row)
    return seconds


def _train_epoch(epoch, config, dataset, trainer, bar):
    """Train one epoch, evaluate the validation split and return the row of metrics."""
    started, seen, loss_sum, correct = time.perf_counter(), 0, 0.0, 0
    for images, labels in epoch_batches(config, dataset, epoch):
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
    val = evaluated(trainer, dataset.val)
    return {
        "epoch": epoch,
        "epochs": config.training.epochs,
        "step": trainer.steps,
        "lr": step.lr,
        "train_loss": loss_sum / seen,
        "train_accuracy": correct / seen,
        "val_loss": val.loss,
        "val_accuracy": val.correct / len(dataset.val.labels),
        "seconds": time.perf_counter() - started,
        "images_per_second": speed,
    }


def _save(run, trainer, progress, row):
    """Update `progress` by the epoch's row and write the checkpoint."""
    arrays, state = trainer.state_dict()
    progress |= state | {"epoch": row["epoch"], "metrics": metrics.chain(progress["metrics"], row)}
    if row["val_accuracy"] >= progress["best_val_accuracy"]:
        progress |= {"best_epoch": row["epoch"], "best_val_accuracy": row["val_accuracy"]}
    runs.save(run, arrays, progress)
    runs.write_events(run, metrics.read(run.folder, progress))


def _start(config, twin, name, held):
    """Set up a new run and return (run, dataset, trainer, progress); the folder is made last."""
    _check_packages(config)
    dataset = load_dataset(config.data)
    trainer = build_trainer(twin, config, dataset.summary)
    folder = runs.folder_for(config, twin, name)
    held.enter_context(locked(folder))
    run = runs.create(folder, config, twin, trainer.device, dataset.summary)
    return run, dataset, trainer, dict(runs.FRESH)


def _open_resumed(options, argv):
    """Open the run to continue; raise ValueError for any option that would change it."""
    given = [a.split("=")[0] for a in argv if a.startswith("--")]
    if extra := [a for a in given if a not in ("--resume", "--backend", "--data.root")]:
        raise ValueError(
            f"--resume continues a run with its own options, but got {', '.join(extra)} too"
        )
    run = runs.open_run(options.resume)
    if options.backend not in (None, run.twin):
        raise ValueError(
            f"--backend is {options.backend}, but {run.folder} is trained by {run.twin}, and only "
            f"{run.twin} gives the same bits: leave it out"
        )
    if "--data.root" in given:
        run.config.data.root = options.data.root
    return run


def _resume(run, held):
    """Restore the last checkpoint and return (run, dataset, trainer, progress)."""
    _check_packages(run.config)
    held.enter_context(locked(run.folder))
    dataset = runs.dataset_of(run)
    trainer = runs.resumed_trainer(run)
    progress = runs.mend(run)
    if changed := differences(run.versions):
        print(f"note    begun with {changed}: the bits may differ", flush=True)
    return run, dataset, trainer, progress


def _check_packages(config):
    """Raise ValueError for a package that the run would miss only after its first epoch."""
    if config.training.tensorboard:
        events.check_installed()


def _introduce(run, trainer, threads):
    data, relative = run.data, run.config.relative_position
    count = sum(math.prod(p.shape) for p in trainer.model.parameters())
    grid = "x".join(map(str, trainer.model.patch_embed.grid_size))
    kind = relative.position + (f" {relative.bias_type}" if "relative" in relative.position else "")
    counts = "{train} training, {val} validation, {test} test images".format(**data.counts)
    print(f"data    {data.name}: {counts}")
    print(f"model   {run.config.model.name}, {count:,} parameters, {grid} patches, position {kind}")
    print(f"twin    {run.twin} on {trainer.device}, threads: {threads}")
    print(f"run     {run.folder}", flush=True)


def _finish(run, dataset, trainer, seconds):
    """Evaluate the best checkpoint on the test split, draw pictures, and print the next commands."""
    arrays, progress = checkpoint.load(run.folder / runs.BEST)
    trainer.load_state_dict(runs.averaged(arrays), progress)
    accuracy = report(run.folder, dataset.classes, dataset.test, trainer, "test")["accuracy"]
    if run.config.visualization.enabled:
        from .visualize import draw

        drawn = draw(run, trainer, dataset)
        print(f"drawn   {len(drawn)} pictures in {run.folder}/pictures")
    quoted = shlex.quote(str(run.folder))
    print(f"trained for {seconds:.1f} s; the best epoch was {progress['epoch']}")
    print("next    python -m experiments.evaluate " + quoted)
    print("        python -m experiments.visualize " + quoted)
    other = "torch" if run.twin == "numpy" else "numpy"
    print(f"        python -m experiments.evaluate {quoted} --backend {other}")
    print(f"test_accuracy={accuracy:.4f} run={run.folder}")


if __name__ == "__main__":
    sys.exit(main())
