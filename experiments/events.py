"""TensorBoard's event file of a run, made from the rows of its metrics.

The file is a function of the rows alone, so a resumed run repeats no epoch, whatever a kill left of it.
Its times are those of training: the age of the run without its breaks.
"""

import importlib
import io
from itertools import accumulate
from pathlib import Path

from .files import append, write_whole

NAME = "events.out.tfevents.metrics"
VERSION = "brain.Event:2"
TAGS = {
    "loss/train": "train_loss",
    "loss/val": "val_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/val": "val_accuracy",
    "lr": "lr",
    "images_per_second": "images_per_second",
}


def check_installed():
    """Raise ValueError, saying what to install, if the package tensorboard is missing."""
    try:
        _tensorboard("compat.proto.event_pb2")
    except ImportError as error:
        raise ValueError(
            "training.tensorboard needs the package tensorboard: "
            f"pip install -r requirements/tensorboard.txt ({error})"
        ) from error


def write(folder, rows, started):
    """Bring the event file to these rows; what it has of them stays where it is, for who reads it now.

    rows: those of metrics.jsonl; started: when the run began, in seconds since 1970.
    """
    path, content = Path(folder) / NAME, _content(rows, started)
    before = path.read_bytes() if path.exists() else b""
    if content.startswith(before):
        append(path, content[len(before) :])
    else:
        write_whole(path, content)


def _content(rows, started):
    """Return the file's bytes: a record with the version, then one with the scalars of each epoch."""
    protos = _tensorboard("compat.proto.event_pb2"), _tensorboard("compat.proto.summary_pb2")
    events = [protos[0].Event(wall_time=started, file_version=VERSION)]
    for row, seconds in zip(rows, accumulate(row["seconds"] for row in rows), strict=True):
        values = [protos[1].Summary.Value(tag=tag, simple_value=row[name]) for tag, name in TAGS.items()]
        summary = protos[1].Summary(value=values)
        events.append(protos[0].Event(wall_time=started + seconds, step=row["epoch"], summary=summary))
    content = io.BytesIO()
    records = _tensorboard("summary.writer.record_writer").RecordWriter(content)
    for event in events:
        records.write(event.SerializeToString(deterministic=True))
    return content.getvalue()


def _tensorboard(module):
    return importlib.import_module(f"tensorboard.{module}")
