"""Train a vision transformer or a Swin with relative position bias: one loop that drives either twin."""

import math
import shlex
import sys
import time
from contextlib import ExitStack

from tqdm import tqdm

from . import checkpoint, events, metrics, runs
from .build import build_trainer, epoch_batches, load_dataset, steps_per_epoch
from .cli import add_backend, command, parser_for, use_threads
from .compiling import compiled_ahead
from .config import add_sections, config_first, to_config
from .data.pixels import UnreadableImageError
from .distributed import ALONE, FAILURES, joined, run_program
from .distributed.evaluation import evaluated
from .evaluate import report
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
    with joined(parser.prog) as processes, ExitStack() as held:  # the lock, while anything is written
        with processes.together():
            options = parser.parse_args(config_first(argv))
        opened = processes.first(lambda: _open_resumed(options, argv)) if options.resume else None
        with processes.together():
            twin = opened.twin if opened else options.backend or DEFAULT_TWIN
            config = opened.config if opened else to_config(options)
            processes.check(twin, config.training.device)
            _check_packages(config)
            threads = use_threads(twin)
        with compiled_ahead(twin, config.model.dtype, config.model.has_cosine_attention):
            if opened:
                set_up = _resume(opened, held, processes)
            else:
                set_up = _start(config, twin, options.run, held, processes)
        return _train_and_finish(*set_up, threads, processes)


def _train_and_finish(run, dataset, trainer, progress, threads, processes):
    _introduce(run, trainer, threads, processes)
    try:
        seconds = train(run, dataset, trainer, progress, processes)
        _finish(run, dataset, trainer, seconds, processes)
    except KeyboardInterrupt:
        quoted = shlex.quote(str(run.folder))
        print(f"\ninterrupted; continue with: python -m {PROGRAM} --resume {quoted}")
        return 130
    except UnreadableImageError as error:  # only this process has it: torchrun ends the others
        print(f"training stopped: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except FloatingPointError as error:  # the same in all processes
        if processes.is_first:
            print(f"training stopped: {error}", file=sys.stderr)
        return 1
    return 0


def train(run, dataset, trainer, progress, processes=ALONE):
    """Run the remaining epochs and return the seconds they took."""
    epochs = run.config.training.epochs
    per_epoch = steps_per_epoch(run.config, run.data)
    first, seconds = progress["epoch"] + 1, 0.0
    with tqdm(
        total=epochs * per_epoch,
        initial=(first - 1) * per_epoch,
        unit="step",
        disable=None if processes.is_first else True,
    ) as bar:
        for epoch in range(first, epochs + 1):
            row = _train_epoch(epoch, run.config, dataset, trainer, bar, processes)
            state = trainer.state_dict()
            seconds += row["seconds"]
            with processes.together(FAILURES):
                if processes.is_first:
                    bar.write(metrics.record(run.folder, row), file=sys.stdout)
                    sys.stdout.flush()
                    _save(run, *state, progress, row)
    return seconds


def _train_epoch(epoch, config, dataset, trainer, bar, processes):
    """Train one epoch, evaluate the validation split and return the row of metrics."""
    started, seen, loss_sum, correct = time.perf_counter(), 0, 0.0, 0
    share = processes.rank, processes.count
    for images, labels in epoch_batches(config, dataset, epoch, share):
        step = trainer.train_step(images, labels)
        count = min(config.training.batch_size, len(dataset.train.labels) - seen)  # of all processes
        seen += count
        loss_sum += step.loss * count
        correct += step.correct
        speed = seen / (time.perf_counter() - started)
        bar.set_postfix_str(
            f"epoch {epoch} loss {loss_sum / seen:.4f} accuracy {correct / seen:.4f} {speed:.0f} img/s",
            refresh=False,
        )
        bar.update()
    val = evaluated(trainer, dataset.val, processes)
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


def _save(run, arrays, state, progress, row):
    """Update `progress` by the epoch's row and write the checkpoint; arrays, state: of the trainer."""
    progress |= state | {"epoch": row["epoch"], "metrics": metrics.chain(progress["metrics"], row)}
    if row["val_accuracy"] >= progress["best_val_accuracy"]:
        progress |= {"best_epoch": row["epoch"], "best_val_accuracy": row["val_accuracy"]}
    runs.save(run, arrays, progress)
    runs.write_events(run, metrics.read(run.folder, progress))


def _start(config, twin, name, held, processes):
    """Set up a new run and return (run, dataset, trainer, progress); the folder is made last."""
    spread = processes.splitter(config.training)
    with processes.together():
        dataset = load_dataset(config.data)
        trainer = build_trainer(twin, config, dataset.summary, spread)

    def create():
        folder = runs.folder_for(config, twin, name)
        held.enter_context(locked(folder))
        return runs.create(folder, config, twin, trainer.device, dataset.summary)

    run = processes.first(create)
    processes.connect(trainer)
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


def _resume(run, held, processes):
    """Restore the last checkpoint and return (run, dataset, trainer, progress)."""
    processes.first(lambda: held.enter_context(locked(run.folder)))
    state = processes.first(lambda: runs.last_state(run))
    spread = processes.splitter(run.config.training)
    with processes.together():
        dataset = runs.dataset_of(run)
        trainer = runs.fresh_trainer(run, spread)
        if state is not None:
            trainer.load_state_dict(*state)
    progress = processes.first(lambda: runs.mend(run))
    processes.connect(trainer)
    if changed := differences(run.versions):
        print(f"note    begun with {changed}: the bits may differ", flush=True)
    return run, dataset, trainer, progress


def _check_packages(config):
    """Raise ValueError for a package that the run would miss only after its first epoch."""
    if config.training.tensorboard:
        events.check_installed()


def _introduce(run, trainer, threads, processes):
    data, relative = run.data, run.config.relative_position
    count = sum(math.prod(p.shape) for p in trainer.model.parameters())
    grid = "x".join(map(str, trainer.model.patch_embed.grid_size))
    kind = relative.position + (f" {relative.bias_type}" if "relative" in relative.position else "")
    counts = "{train} training, {val} validation, {test} test images".format(**data.counts)
    print(f"data    {data.name}: {counts}")
    print(f"model   {run.config.model.name}, {count:,} parameters, {grid} patches, position {kind}")
    several = f" in {processes.count} processes by {run.config.training.distributed}"
    where = trainer.device + (several if processes.count > 1 else "")
    print(f"twin    {run.twin} on {where}, threads: {threads}")
    print(f"run     {run.folder}", flush=True)
    if run.config.training.compile:
        print("compiling the model at the first step; on a CPU this takes minutes", flush=True)


def _finish(run, dataset, trainer, seconds, processes):
    """Evaluate the best checkpoint on the test split, draw pictures, and print the next commands."""
    arrays, progress = processes.first(lambda: checkpoint.load(run.folder / runs.BEST))
    trainer.load_state_dict(runs.averaged(arrays), progress)
    result = report(run.folder, dataset.classes, dataset.test, trainer, "test", processes)
    if not processes.is_first:
        return
    if run.config.visualization.enabled:
        from .visualize import draw

        whole = trainer if processes.count == 1 else runs.load(run)
        drawn = draw(run, whole, dataset)
        print(f"drawn   {len(drawn)} pictures in {run.folder}/pictures")
    quoted = shlex.quote(str(run.folder))
    print(f"trained for {seconds:.1f} s; the best epoch was {progress['epoch']}")
    print("next    python -m experiments.evaluate " + quoted)
    print("        python -m experiments.visualize " + quoted)
    other = "torch" if run.twin == "numpy" else "numpy"
    print(f"        python -m experiments.evaluate {quoted} --backend {other}")
    print(f"test_accuracy={result['accuracy']:.4f} run={run.folder}")


if __name__ == "__main__":
    run_program(main)
