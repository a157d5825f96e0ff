"""The main tables (targets, times with ratios, memory) and the notes below them."""

from .contestants import compiles, is_ours
from .machine import SIZE
from .tables import Table
from .targets import targets

TITLES = {
    "attention": "Attention",
    "modules": "Window attention with its linear layers",
    "bias": "Gather and scatter-add alone",
    "vit": "Training step of the vision transformer",
    "swin": "A block of Swin-T, and training steps of Swin Transformers",
    "batch": "Over the batch",
    "length": "Over the length",
    "threads": "Over the threads",
}


def heading(result):
    """Return the lines above the tables: machine, versions, rate of large products, rounds."""
    machine = result.machine
    rates = ", ".join(f"{library} {rate / 1e9:.0f}" for library, rate in result.rates.items())
    listed = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    gain = "{median:.2f} ({low:.2f} – {high:.2f})".format(**machine["gain"])
    where = f"{machine['gpu']}; " if "gpu" in machine else ""
    return (
        f"{where}{machine['processor']}, {machine['cores']} cores\n"
        f"{listed}\n"
        f"large products (float32, {SIZE}³): {rates} Gflop/s\n"
        f"arithmetic in registers, all threads over one: {gain}\n"
        f"{result.settings.rounds} rounds{', quick' if result.settings.quick else ''}"
    )


def tables_of(result):
    """Return the tables that have rows, the targets first."""
    races = [_races(result, suite) for suite in TITLES]
    found = [_targets(targets(result)), *races, _shares(result), _memory(result)]
    return [table for table in found if table.rows]


def notes(result):
    """Return the notes: how to read the tables, then what was wrong or absent."""
    return [*READING, *_first_calls(result), *_wrong(result), *_absent(result)]


READING = (
    "Times are medians over rounds; every contestant has one turn per round. × is the median over "
    "rounds of the ratio to the fastest torch contestant.",
    "Code that allocates large arrays is up to twice as fast once the C library's heap has grown in the "
    "same process: compare contestants within a row, not the same work in two suites.",
    "Before the timing, every tensor must be within the budget of the parity tests (float32 against the "
    "truth in float64).",
    "In PyTorch, forward alone runs without gradients (no_grad).",
    "The share of the rate counts two products forward and five backward (one of them computes the "
    "scores again), 2·B·H·L²·d each, even for a contestant that does fewer or more.",
    "The torch contestants gather as Swin's code does, without torch_impl's check of the index.",
    "The training step takes random images. As in `make train-numpy`, BLAS has one thread for the "
    "kernels.",
    "Memory: `own` is the peak growth of the resident memory after the inputs are made; `process` is "
    "the peak of the whole process, including libraries.",
)


def _targets(found):
    rows = [
        (
            target.what,
            target.work,
            f"{'≥' if target.more else '≤'} {target.goal:g}",
            f"{target.measured:.2f}",
            "yes" if target.met else "NO",
        )
        for target in found
    ]
    return Table("Targets", ("what", "work", "target", "measured", "met"), rows, 2)


def _races(result, suite):
    """Return a row per race, a column per contestant: milliseconds, ratio to the fastest torch."""
    races = result.of_suite(suite)
    names = list(dict.fromkeys(name for race in races for name in race.lines))
    rows = [(race.work, race.part, *(_cell(race, name) for name in names)) for race in races]
    return Table(f"{TITLES[suite]} (ms)", ("work", "part", *names), rows, 2)


def _cell(race, name):
    if name not in race.lines:
        return "–"
    time, fastest = f"{1e3 * race.time(name).median:.3g}", race.fastest_torch
    if fastest is None:
        return time
    return f"{time} (×{1 if name == fastest else race.ratio(name, fastest).median:.2f})"


def _shares(result):
    """Return the table of flop per second over the rate of large products; empty on CUDA."""
    races = result.of_suite("attention") if result.settings.device == "cpu" else []
    names = list(dict.fromkeys(name for race in races for name in race.lines))
    rows = []
    for race in races:
        shares = {n: race.sizes["flops"] / race.time(n).median / result.rate for n in race.lines}
        rows.append((race.work, race.part, *(f"{shares[n]:.0%}" if n in shares else "–" for n in names)))
    return Table("Attention: share of the large-matrix rate", ("work", "part", *names), rows, 2)


def _memory(result):
    names = list(dict.fromkeys(m.contestant for m in result.memories))
    works = list(dict.fromkeys((m.kind, m.work) for m in result.memories))
    rows = []
    for kind, work in works:
        found = [result.memory(kind, work, name) for name in names]
        rows.append((kind, work, *("–" if m is None else _mib(m) for m in found)))
    return Table("Peak memory (MiB: own / process)", ("what", "work", *names), rows, 2)


def _mib(memory):
    if memory.whole is None:
        return "failed"
    own = "?" if memory.own is None else f"{memory.own:.1f}"
    return f"{own} / {memory.whole:.0f}"


def _first_calls(result):
    """Say how long each compiled contestant's first call took; the times do not include it."""
    for name in dict.fromkeys(name for race in result.races for name in race.lines if compiles(name)):
        calls = [race.lines[name].first_call for race in result.races if name in race.lines]
        yield (
            f"{name}: the first call, which compiles, took {min(calls):.1f} to {max(calls):.1f} s (less "
            "where PyTorch has cached the code of an earlier run)"
        )


def _wrong(result):
    """Name every tensor over budget; one of the NumPy twin is marked WRONG and fails the run."""
    for race, name in result.wrong:
        check = race.lines[name].check
        blame = ": WRONG" if is_ours(name) else ""
        yield (
            f"over budget: {name} in {race.suite}, {race.work}, {race.part}: {check.tensor} uses "
            f"{check.share:.0%} (error {check.error:.1e}){blame}"
        )


def _absent(result):
    """Name each absent contestant with its reason and the races that lack it."""
    where = {(m.contestant, m.absent): {f"memory, {m.work}"} for m in result.memories if m.absent}
    for race in result.races:
        for name, why in race.absent.items():
            where.setdefault((name, why), set()).add(f"{race.suite}, {race.part}")
    for (name, why), places in where.items():
        yield f"absent: {name} in {'; '.join(sorted(places))}: {why}"
