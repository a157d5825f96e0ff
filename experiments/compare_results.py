"""What a comparison found: results.json, which also says what is left to do, and the page made of it."""

import json
import statistics

from .files import write_whole

FIRST_STEPS = 5  # slower than the others: caches are cold and memory is new


def load(path, settings, rows):
    """{row: its settings and results} of an earlier start, with an empty place for each new row.

    rows: {name: settings}. Raises ValueError when what is there was made with other settings.
    """
    found = {"settings": settings, "rows": {}}
    if path.exists():
        try:
            found = json.loads(path.read_text())
            _refuse_change(path, found["settings"], settings)
            for name, row in found["rows"].items():
                if name in rows:
                    _refuse_change(path, {name: row["settings"]}, {name: rows[name]})
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"{path} does not hold the results of a comparison") from error
    return found["rows"] | {
        name: {"settings": row, "seeds": {}} for name, row in rows.items() if name not in found["rows"]
    }


def _refuse_change(path, before, now):
    """Raise ValueError for the first difference between two trees of options."""
    before, now = (dict(_leaves(json.loads(json.dumps(tree)))) for tree in (before, now))
    for option in before | now:
        old, new = before.get(option), now.get(option)
        if old != new:
            raise ValueError(
                f"{path} was made with {option} {old}, now it is {new}: results of different settings "
                "are not mixed; give the same again, or a new folder with --out"
            )


def _leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def result_of(accuracy, best_epoch, seconds):
    """What is kept of a run; seconds: of each of its steps."""
    typical = statistics.median(seconds[FIRST_STEPS:] or seconds)
    return {"test_accuracy": accuracy, "best_epoch": best_epoch, "milliseconds_per_step": 1000 * typical}


def summarise(row):
    """Mean, least and most accuracy of the row's seeds, and the time that was disturbed the least."""
    runs = row["seeds"].values()
    accuracies = [run["test_accuracy"] for run in runs]
    return {
        "test_accuracy": {
            "mean": statistics.fmean(accuracies),
            "min": min(accuracies),
            "max": max(accuracies),
        },
        "milliseconds_per_step": min(run["milliseconds_per_step"] for run in runs),
    }
