"""Kill training runs, resume them, and compare the result with a run that was not killed.

    python -m experiments.tests.kills --kills 200 --backend numpy --model vit
    python -m experiments.tests.kills --backend torch --training.precision=bf16 --training.ema_decay=0.9

Runs are killed with SIGKILL before each file operation (within it, for a write) and at random moments,
then resumed, every fourth with another number of threads. About every third is killed and resumed once
more. The files must then be equal to the byte, apart from times. Options that are not listed by --help
are passed on to experiments.train.
"""

import argparse
import builtins
import importlib
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from experiments import files
from experiments.build import TWINS
from experiments.tests.small_runs import SMALL, SMALL_SWIN, assert_same_run
from experiments.train import main as train

OPTIONS = {name: [f"--model.name={name}", *SMALL_SWIN] for name in ("swin", "swinv2")} | {"vit": SMALL}
SHORT = "--training.epochs=3"
OPERATIONS = ("replace", "fsync", "mkdir", "unlink")  # of os; opening and writing are files.py's `open`


class Operations:
    """Counts the file operations of this process and kills it at the `fatal`-th; 0 for never."""

    def __init__(self, fatal=0):
        self.count, self.fatal = 0, fatal
        for name in OPERATIONS:
            setattr(os, name, self._counted(getattr(os, name)))
        files.open = self._open

    def is_next(self):
        self.count += 1
        return self.count == self.fatal

    def _counted(self, operation):
        def counted(*arguments, **options):
            if self.is_next():
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return counted

    def _open(self, path, mode):
        if self.is_next():
            os.kill(os.getpid(), signal.SIGKILL)
        return _File(builtins.open(path, mode), self)


class _File:
    """A file whose fatal write writes only half of the data."""

    def __init__(self, file, operations):
        self.file, self.operations = file, operations

    def write(self, data):
        fatal = self.operations.is_next()
        self.file.write(data[: len(data) // 2] if fatal else data)
        if fatal:
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def launch(folder, backend, options, threads, fatal=0):
    """Start the run in the folder in a forked process, or resume it if it exists; return the id."""
    resumed = (folder / "config.yaml").exists()
    arguments = ["--resume", str(folder)] if resumed else ["--run", str(folder), *options]
    if pid := os.fork():
        return pid
    status = 1
    try:
        said = os.open(folder.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        importlib.import_module(TWINS[backend]).set_num_threads(threads)
        operations = Operations(fatal)
        status = train(arguments)
        if not fatal:
            folder.with_suffix(".count").write_text(str(operations.count))
    finally:
        os._exit(status)  # skip the parent's exit handlers


def wait(pid):
    """Wait for a process; return True if it succeeded, False if killed, else raise RuntimeError."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise RuntimeError(f"a run ended with status {os.waitstatus_to_exitcode(status)}")
    return True


def kill_after(pid, seconds):
    """Kill a process after so many seconds; return False if it had ended before."""
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)  # safe: the id of an ended process stays valid until `wait`
    return not wait(pid)


class Campaign:
    """Kills of runs of one twin; the reference is trained in this process, so forks start warm."""

    def __init__(self, base, backend, model, seed, more=()):
        self.base, self.backend = base, backend
        self.options = ["--backend", backend, *OPTIONS[model], SHORT, *more]
        self.random = random.Random(seed)
        importlib.import_module(TWINS[backend]).set_num_threads(1)  # forks lose threads
        self.reference = base / "reference"
        assert train(["--run", str(self.reference), *self.options]) == 0
        started = time.perf_counter()
        assert wait(self.launched(base / "counted"))
        self.seconds = time.perf_counter() - started
        assert_same_run(base / "counted", self.reference)
        self.operations = int((base / "counted.count").read_text())

    def launched(self, folder, threads=1, fatal=0):
        return launch(folder, self.backend, self.options, threads, fatal)

    def at_operation(self, number):
        """Kill a run at its number-th file operation and resume it; True if it equals the reference."""
        folder = self.base / f"operation-{number}"
        if wait(self.launched(folder, fatal=number)):
            raise RuntimeError(f"{folder} was to be killed at operation {number}, but finished")
        return self._resumed(folder, number)

    def at_a_moment(self, number):
        """Kill a run at a random moment and resume it; None if it finished before the kill."""
        folder = self.base / f"moment-{number}"
        pid = self.launched(folder)
        if not kill_after(pid, self.random.uniform(0, self.seconds)):
            shutil.rmtree(folder)
            return None
        return self._resumed(folder, number)

    def at_moments(self, kills):
        """Yield the results of so many kills at random moments; a kill that is too late is repeated."""
        results = (self.at_a_moment(number) for number in itertools.count(1))
        return itertools.islice((result for result in results if result is not None), kills)

    def _resumed(self, folder, number):
        # PyTorch does not promise the same bits with another number of threads.
        threads = 2 if self.backend == "numpy" and number % 4 == 0 else 1
        again, moment = self.random.random() < 1 / 3, self.random.uniform(0, self.seconds)
        try:
            if again:
                kill_after(self.launched(folder), moment)
            wait(self.launched(folder, threads))
            assert_same_run(folder, self.reference)
        except (AssertionError, RuntimeError, OSError, ValueError) as error:
            print(
                f"LOST {folder}: {error}; end of output: {folder.with_suffix('.txt').read_text()[-500:]}"
            )
            return False
        shutil.rmtree(folder)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=tuple(TWINS), default="numpy")
    parser.add_argument("--model", choices=tuple(OPTIONS), default="vit")
    parser.add_argument("--kills", type=int, default=200, help="kills at random moments")
    parser.add_argument("--every", type=int, default=1, help="kill at every n-th file operation")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as base:
        campaign = Campaign(Path(base), options.backend, options.model, options.seed, more)
        numbers = range(1, campaign.operations + 1, options.every)
        kept = [campaign.at_operation(number) for number in tqdm(numbers, "operations")]
        moments = list(tqdm(campaign.at_moments(options.kills), "moments", options.kills))
    print(
        f"{' '.join([options.backend, options.model, *more])}: "
        f"{sum(kept)} of {len(kept)} kills at a file operation and "
        f"{sum(moments)} of {len(moments)} at a random moment resumed to the same bits"
    )
    return int(not all(kept + moments))


if __name__ == "__main__":
    sys.exit(main())
