"""Plant mutants, run their tests, report the results; exit with 1 if one survives unexplained."""

import argparse
import ast
import hashlib
import json
import math
import os
import sys
import tomllib
from collections import Counter
from importlib import import_module
from itertools import islice
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "2")  # as in conftest.py, which is imported after numba here

from . import figures
from .calls import ROOT, Calls, record
from .plant import mutants_of
from .trial import trial

# name: (share of the mutants, files)
GROUPS = {
    "position": (0.28, ["numpy_ref/position/*.py", "torch_impl/position/*.py"]),
    "ops": (0.14, ["numpy_ref/ops/*.py", "torch_impl/ops/*.py"]),
    "kernels": (0.16, ["numpy_ref/kernels/**/*.py"]),
    "modules": (0.22, ["numpy_ref/*.py", "torch_impl/*.py"]),
    "training": (0.10, ["*/optim.py", "*/trainer.py"]),
    "data": (0.10, ["experiments/data/*.py", "experiments/checkpoint.py"]),
}
PACKAGES = ("hypothesis", "numba.extending", "safetensors.numpy", "sklearn.model_selection", "torch")
# A mutant of a jitted function is compiled anew, so it gets only the tests that check kernels directly.
KERNELS = [
    f"parity_tests/test_{name}.py" for name in ("kernels", "adamw", "without_jit", "memory", "threads")
]
EXPLAINED = Path(__file__).parent / "explained.toml"
RESULTS, CALLS = ROOT / "reports/mutants.jsonl", ROOT / "reports/mutants-calls.json"


def sources():
    """Return {group: {file: text}}; a file belongs to the last group that names it."""
    groups, found = {}, {}
    for group, (_, patterns) in GROUPS.items():
        found |= {path: group for pattern in patterns for path in sorted(ROOT.glob(pattern))}
    for path, group in found.items():
        groups.setdefault(group, {})[str(path.relative_to(ROOT))] = path.read_text()
    return groups


def drawn(files, number, seed):
    """Draw `number` mutants, equally many of each kind.

    Those with the smallest digests are taken, so a change elsewhere replaces only few of them.
    """
    every = {m.key: m for file, source in files.items() for m in mutants_of(file, source)}

    def digest(mutant):
        return hashlib.sha256(repr((seed, mutant.key)).encode()).digest()

    ranks, seen = {}, Counter()
    for mutant in sorted(every.values(), key=digest):
        ranks[mutant] = seen[mutant.kind]
        seen[mutant.kind] += 1
    ranked = (m for m in sorted(ranks, key=ranks.get) if m.changes_something())
    return list(islice(ranked, number))


def importers_of(file, files):
    """Return [[file], the files of its group that import it, the files that import those, …]."""
    imports = {name: _imported(name, source) for name, source in files.items()}
    layers, found = [[file]], {file}
    while layers[-1]:
        layers.append(sorted(name for name in imports.keys() - found if imports[name] & {*layers[-1]}))
        found |= {*layers[-1]}
    return layers


def _imported(file, source):
    """Return the files that a file's relative imports may refer to."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = Path(file).parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names |= {f"{base}.py", *(f"{base / alias.name}.py" for alias in node.names)}
    return names


def known():
    """Return {key: result} from earlier runs, the last result of each mutant."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {tuple(result["key"]): result for result in map(json.loads, lines)}


def explained():
    """Return {key: why} of the mutants in explained.toml."""
    entries = tomllib.loads(EXPLAINED.read_text()).get("mutant", [])
    return {tuple(e[name] for name in ("file", "function", "was", "now")): e["why"] for e in entries}


def run(mutants, files, most):
    """Try the mutants of a group; return {key: (outcome, result)}.

    An earlier result for the same source is reused, except for a survivor without an explanation: it is
    tried again, since there may be new tests.
    """
    before, excuses, calls, outcomes = known(), explained(), Calls(CALLS), {}
    for n, mutant in enumerate(mutants):
        result, source = before.get(mutant.key), hashlib.sha256(mutant.source.encode()).hexdigest()
        excused = mutant.key in excuses
        if not result or result["source"] != source or not (result["killed"] or excused):
            anew = "/kernels/" in mutant.file and (mutant.file, mutant.function) not in calls.of_function
            tests = calls.tests_of(mutant, importers_of(mutant.file, files), KERNELS if anew else None)
            tests = calls.within(most, tests)
            result = trial(mutant, tests, calls.seconds, anew)
            result |= {"key": mutant.key, "kind": mutant.kind, "source": source, "tests": len(tests)}
            with RESULTS.open("a") as file:
                file.write(json.dumps(result) + "\n")
        outcomes[mutant.key] = result["killed"] or ("explained" if excused else "survived"), result
        figures.show(n + 1, mutant, *outcomes[mutant.key])
    return outcomes


def main():
    parser = argparse.ArgumentParser(prog="python -m parity_tests.mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=500, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--group", choices=GROUPS, help="draw only this group's share of the number")
    parser.add_argument("--most", type=float, default=math.inf, help="limit of test seconds per mutant")
    arguments = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    preload()
    every = sources()
    _aside(lambda: record(["numpy_ref", "torch_impl", "experiments"], CALLS))
    groups = {}
    for group, files in every.items():
        if arguments.group in (None, group):
            share = round(arguments.number * GROUPS[group][0])
            groups[group] = run(drawn(files, share, arguments.seed), files, arguments.most)
    print(figures.table(groups))
    survivors = [
        key for found in groups.values() for key, (how, _) in found.items() if how == "survived"
    ]
    for file, function, was, now in survivors:
        print(f"\nsurvived: {file} {function}\n- {was}\n+ {now}")
    if arguments.group is None and arguments.most == math.inf:
        figures.write(groups, explained(), arguments.number, arguments.seed)
    sys.exit(1 if survivors else 0)


def preload():
    """Import what every mutant's process needs, but nothing of the project."""
    for name in PACKAGES:
        import_module(name)


def _aside(work):
    """Call work() in a child process, so that this process imports nothing for it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
