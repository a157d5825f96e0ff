"""A run's folder: config.yaml, log.txt, metrics.jsonl, best and last checkpoint, results."""

import json
from datetime import datetime
from pathlib import Path

import yaml

from . import checkpoint
from .build import build_trainer, load_dataset
from .config import SECTIONS, load_config
from .files import write_whole

METRICS = {"epoch", "epochs", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"}


def create(config, backend, name=None):
    """Make the folder and write its config; raises ValueError when there is something in it."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    folder = Path(name) if name else Path("runs") / f"{config.data.name}-{backend}-{stamp}"
    if (folder / "config.yaml").exists():
        raise ValueError(f"{folder} already holds a run: continue it with --resume {folder}")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: --run wants a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    sections = {section: dict(vars(getattr(config, section))) for section in SECTIONS}
    write_whole(folder / "config.yaml", yaml.safe_dump(sections, sort_keys=False))
    return folder


def config_of(folder):
    """The Config a run was started with; raises FileNotFoundError/ValueError naming the file."""
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not a run: it has no config.yaml")
    return load_config(path)


def load(folder, backend, which="best"):
    """(config, dataset, trainer) with the run's weights; `which` is "best" or "last".

    The device is whatever this machine and this twin have, not the one the run was trained on.
    """
    config = config_of(folder)
    config.training.device = "auto"
    arrays, progress = checkpoint.load(Path(folder) / f"{which}.safetensors")
    dataset = load_dataset(config.data)
    trainer = build_trainer(backend, config, dataset)
    trainer.load_state_dict(arrays, progress)
    return config, dataset, trainer


def read_metrics(folder, last_epoch=None):
    """The lines of metrics.jsonl up to an epoch; a last line cut short by a crash is left out.

    Raises ValueError naming the file and the line when another one is not an epoch's metrics.
    """
    path = Path(folder) / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        if not isinstance(row, dict) or not row.keys() >= METRICS:
            if row is None and number == len(lines):
                break
            raise ValueError(f"{path}: line {number} does not hold the metrics of an epoch")
        if last_epoch is None or row["epoch"] <= last_epoch:
            rows.append(row)
    return rows


def rewind(folder, last_epoch):
    """Cut metrics and log back to the epoch of the checkpoint, so that a resumed run repeats nothing."""
    rows = read_metrics(folder, last_epoch)
    write_whole(Path(folder) / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    epochs = rows[-1]["epochs"] if rows else 0
    write_whole(Path(folder) / "log.txt", "".join(log_line(row, epochs) + "\n" for row in rows))


def record(folder, row):
    """Append an epoch to metrics.jsonl and to log.txt; returns the log line."""
    line = log_line(row, row["epochs"])
    for name, text in (("metrics.jsonl", json.dumps(row)), ("log.txt", line)):
        with open(Path(folder) / name, "a") as file:
            file.write(text + "\n")
    return line


def log_line(row, epochs):
    """The same form for both twins and no times in it, so that two logs can be compared with diff."""
    return (
        f"epoch {row['epoch']:3d}/{epochs}  lr {row['lr']:.2e}  "
        f"train_loss {row['train_loss']:.4f}  train_accuracy {row['train_accuracy']:.4f}  "
        f"val_loss {row['val_loss']:.4f}  val_accuracy {row['val_accuracy']:.4f}"
    )
