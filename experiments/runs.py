"""A run's folder: its settings and checkpoints, and a trainer made from them.

docs/training.md lists the files. run.json is written before config.yaml, so a folder with config.yaml
is a complete run, even if its process was killed.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from . import checkpoint, events, metrics, plain_yaml
from .build import OF_A_STEP, TWINS, build_trainer, load_dataset, steps_per_epoch
from .config import Config, load_config
from .data.summary import Summary
from .fields import check_fields, is_text
from .files import LOCK, PARTIAL, make_folder, write_whole
from .training_config import TrainingConfig
from .versions import versions

ABOUT, CONFIG, LAST, BEST = "run.json", "config.yaml", "last.safetensors", "best.safetensors"
FORMAT = 1
FRESH = {"epoch": 0, "best_epoch": 0, "best_val_accuracy": -1.0, "metrics": metrics.NO_ROWS}
BEFORE_A_RUN = {LOCK, ABOUT, ABOUT + PARTIAL, CONFIG + PARTIAL}


@dataclass(frozen=True)
class Run:
    """A run as read from its folder; twin, device: what trains it; data: the summary of its data."""

    folder: Path
    config: Config
    twin: str
    device: str
    versions: dict[str, str]
    data: Summary


def folder_for(config, twin, name=None):
    """Make the folder of a new run and return its path; raise ValueError if it is not empty.

    Files of a start that was killed before config.yaml was written are ignored.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    folder = Path(name) if name else Path("runs") / f"{config.data.name}-{twin}-{stamp}"
    check_new(folder)
    _config_text(config)  # raises for a config that cannot be written, before the folder is made
    make_folder(folder)
    return folder


def check_new(folder):
    """Raise ValueError if the folder holds a run or any other file."""
    if (folder / CONFIG).exists():
        raise ValueError(f"{folder} already holds a run: continue it with --resume {folder}")
    if folder.exists() and {path.name for path in folder.iterdir()} - BEFORE_A_RUN:
        raise ValueError(f"{folder} is not empty: --run needs a new folder")


def create(folder, config, twin, device, summary, start=None):
    """Write run.json and config.yaml into an empty folder and return the Run.

    start: (arrays, progress) of epoch 0, for a run that begins with given weights.
    The caller holds the folder's lock.
    """
    check_new(folder)
    text = _config_text(config)
    about = {
        "format": FORMAT,
        "twin": twin,
        "device": device,
        "versions": versions(),
        "data": summary.to_json(),
    }
    about["sha256"] = _digest(about, text.encode())
    run = Run(folder, config, twin, device, about["versions"], summary)
    if start:
        save(run, *start)
    write_whole(folder / ABOUT, json.dumps(about, indent=1) + "\n")
    write_whole(folder / CONFIG, text)
    return run


def open_run(folder):
    """Read the Run in a folder; raise FileNotFoundError or ValueError naming the bad file."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a run: there is no such folder")
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(
            f"{folder} is not a run: it has no {CONFIG}; a run that was killed before it began is "
            f"started again with --run {folder}"
        )
    if not (folder / ABOUT).is_file():
        raise FileNotFoundError(f"{folder} has no {ABOUT}: lost, or the run is from an older version")
    about = _read_about(folder / ABOUT, (folder / CONFIG).read_bytes())
    config = load_config(folder / CONFIG)
    return Run(folder, config, about["twin"], about["device"], about["versions"], about["data"])


def load(run, backend=None, which="best"):
    """Build a trainer with the network of a run, for use; reads no data.

    The weights are their average where the run has one. How the run's steps are computed (precision,
    compile, …) does not matter, so either twin takes the checkpoint, on the best device of this machine.

    backend: "numpy" or "torch", by default the twin that trained the run.
    which: "best" or "last", the checkpoint.
    """
    arrays, progress = _checkpoint(run, which)
    backend = backend or run.twin
    plain = {f.name: f.default for f in fields(TrainingConfig) if f.name in OF_A_STEP}
    if backend == run.twin:
        plain["attention"] = run.config.training.attention
    trainer = _trainer(run, backend, device="auto", **plain)
    kept = {n: a for n, a in averaged(arrays).items() if n.startswith(("model.", "optimizer."))}
    trainer.load_state_dict(kept, progress)
    return trainer


def averaged(arrays):
    """Return a checkpoint's arrays, where it has an average of the weights with that as the weights."""
    ema = {n: a for n, a in arrays.items() if n.startswith("ema.")}
    return arrays | {"model." + n.removeprefix("ema."): a for n, a in ema.items()}


def fresh_trainer(run, spread=None):
    """Build a trainer in the state in which the run begins; spread: as for `build_trainer`."""
    return _trainer(run, run.twin, spread, device=run.device)


def last_state(run):
    """Return (arrays, progress) of the last checkpoint; None if the run was killed before the first."""
    return _checkpoint(run, "last") if last_progress(run) else None


def _trainer(run, backend, spread=None, **training):
    config = replace(run.config, training=replace(run.config.training, **training))
    return build_trainer(backend, config, run.data, spread)


def _checkpoint(run, which):
    path = run.folder / f"{which}.safetensors"
    arrays, progress = checkpoint.load(path)
    _check_step(path, run, progress)
    return arrays, progress


def dataset_of(run):
    """Read the data set of a run again; raise ValueError if it differs, FileNotFoundError if missing."""
    dataset = load_dataset(run.config.data)
    run.data.check_same(dataset.summary)
    return dataset


def read_metrics(run):
    """Read the metrics up to the last checkpoint and check them against it; see `metrics.read`."""
    return metrics.read(run.folder, last_progress(run))


def last_progress(run):
    """Return the progress of the last checkpoint; None if the run was killed before the first."""
    if (run.folder / LAST).exists():
        return checkpoint.load(run.folder / LAST).progress
    if (run.folder / BEST).exists():
        raise ValueError(f"{run.folder} has {BEST}, but has lost {LAST}")
    return None


def save(run, arrays, progress):
    """Write last.safetensors, then the same as best.safetensors if it is the best epoch so far.

    After a kill between the two, `mend` writes the second.
    """
    content = checkpoint.pack(arrays, progress)
    write_whole(run.folder / LAST, content)
    if progress["best_epoch"] == progress["epoch"]:
        write_whole(run.folder / BEST, content)


def mend(run):
    """Bring the folder of a killed run to the state of its last checkpoint; return its progress.

    Raises ValueError, changing nothing, when a file has changed since it was written.
    """
    progress = last_progress(run)
    rows = metrics.read(run.folder, progress)
    if rows and rows[progress["best_epoch"] - 1]["val_accuracy"] != progress["best_val_accuracy"]:
        raise ValueError(f"{run.folder / LAST}: its best accuracy is not that of its best epoch's row")
    if progress and progress["best_epoch"] == progress["epoch"]:
        write_whole(run.folder / BEST, (run.folder / LAST).read_bytes())
    elif progress:  # check best.safetensors now: the run itself would read it only at its end
        best = checkpoint.load(run.folder / BEST).progress
        if best["metrics"] != metrics.digest(rows[: progress["best_epoch"]]):
            raise ValueError(f"{run.folder / BEST} is not of the best epoch that {LAST} names")
    for path in (LAST, BEST, metrics.NAME, metrics.LOG, events.NAME):
        (run.folder / (path + PARTIAL)).unlink(missing_ok=True)
    metrics.rewind(run.folder, rows)
    write_events(run, rows)
    return progress or dict(FRESH)


def write_events(run, rows):
    """Write the rows of metrics.jsonl as TensorBoard's events too, if the run asks for it."""
    if run.config.training.tensorboard:
        events.write(run.folder, rows, (run.folder / CONFIG).stat().st_mtime)


def _config_text(config):
    sections = asdict(config)
    if config.data.root is not None:  # the run can be continued from another working directory
        sections["data"]["root"] = str(Path(config.data.root).absolute())
    return plain_yaml.dump(sections)


def _check_step(path, run, progress):
    epoch, step = progress["epoch"], progress["step"]
    epochs, per_epoch = run.config.training.epochs, steps_per_epoch(run.config, run.data)
    if epoch > epochs or step != epoch * per_epoch:
        raise ValueError(
            f"{path}: it is of epoch {epoch} and step {step}, but the run has {epochs} epochs of "
            f"{per_epoch} steps"
        )


def _digest(about, config):
    """Return the SHA-256 of run.json's fields and of config.yaml's bytes."""
    rest = {name: value for name, value in about.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode() + config).hexdigest()


def _read_about(path, config):
    """Read run.json, with its data as a Summary; raise ValueError naming the file or the field."""
    try:
        about = json.loads(path.read_bytes())
        as_written = about["sha256"] == _digest(about, config)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} does not describe a run ({error})") from error
    if not as_written:
        raise ValueError(f"{path}, or {CONFIG} beside it, has changed since the run began")
    check_fields(str(path), about, _FIELDS)
    try:
        return about | {"data": Summary.from_json(about["data"])}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


_FIELDS = {
    "format": (lambda v: v == FORMAT, f"{FORMAT}, which this version reads"),
    "twin": (lambda v: is_text(v) and v in TWINS, " or ".join(TWINS)),
    "device": (lambda v: is_text(v) and v in ("cpu", "cuda"), "cpu or cuda"),
    "versions": (lambda v: isinstance(v, dict) and all(map(is_text, v.values())), "versions by name"),
    "data": (lambda v: isinstance(v, dict), "the summary of the data"),
    "sha256": (is_text, "the SHA-256 of the rest and of the config"),
}
