"""results.json: the results of a comparison so far, with the settings they were made with."""

import json
import statistics

from experiments.build import OF_A_STEP
from experiments.config import SECTIONS
from experiments.files import write_whole

NAME = "results.json"
FIRST_STEPS = 5  # slower than the others, as caches are cold and memory is newly allocated

# Options that came after the results on record.
NEWER = {
    "training": {*OF_A_STEP, "tensorboard", "distributed"},
    "data": {"streaming", "workers", "mean", "std", "crop_pct", "interpolation", "crop_scale"}
    | {"crop_ratio", "rand_augment", "random_erasing", "mixup", "cutmix"},
}


def on_record(sections):
    """Return {section: its options} without the newer options that have their default."""
    return sections | {
        name: {k: v for k, v in sections[name].items() if k not in newer or v != _default(name, k)}
        for name, newer in NEWER.items()
    }


def _default(section, option):
    return getattr(SECTIONS[section](), option)


def load(folder, settings, rows):
    """Return the results in the folder, or empty ones; rows: {name: its settings}.

    They are {"settings": …, "rows": {name: {"settings": …, "seeds": {seed: …}, and the summary}}}.
    Raises ValueError naming the first setting that differs from the settings in the file.
    """
    path, fresh = folder / NAME, {"settings": settings, "rows": {}}
    if not path.exists():
        return fresh
    try:
        found = json.loads(path.read_text())
        _refuse_difference(path, found["settings"], settings)
        for name in found["rows"].keys() & rows.keys():
            _refuse_difference(path, {name: found["rows"][name]["settings"]}, {name: rows[name]})
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not hold the results of a comparison") from error
    return found


def add(folder, results, name, row, seed, result):
    """Put the result of a seed into its row, update the row's summary, and write the file.

    row: what all seeds of the row share, including its settings.
    """
    rows = results["rows"]
    seeds = rows.get(name, {}).get("seeds", {}) | {str(seed): result}
    rows[name] = row | {"seeds": seeds} | _summary(seeds.values())
    write_whole(folder / NAME, json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def has(results, name, seed):
    return str(seed) in results["rows"].get(name, {}).get("seeds", {})


def typical(seconds):
    """Return the median milliseconds per step without the first steps; seconds: of each step."""
    return 1000 * statistics.median(seconds[FIRST_STEPS:] or seconds)


def _summary(runs):
    accuracies = [run["test_accuracy"] for run in runs]
    return {
        "test_accuracy": {
            "mean": statistics.fmean(accuracies),
            "min": min(accuracies),
            "max": max(accuracies),
        },
        # Other work on the machine can only lengthen a run.
        "milliseconds_per_step": min(run["milliseconds_per_step"] for run in runs),
    }


def _refuse_difference(path, before, now):
    before, now = dict(_leaves(before)), dict(_leaves(now))
    for option in before | now:
        old, new = before.get(option), now.get(option)
        if old != new:
            raise ValueError(
                f"{path} was made with {option} {old}, but now it is {new}: results of different "
                "settings are not mixed; give --out another folder"
            )


def _leaves(tree, path=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield path + name, value
