"""The processes that torchrun starts: which one this is, what it gets of a batch, and what all agree on.

One process alone, without torchrun, exchanges nothing and does not import PyTorch.
"""

import gc
import os
import sys
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta

from experiments.cli import MISTAKES, report_mistake

PATIENCE = timedelta(minutes=30)  # for one exchange: the longest that a process may wait for another
NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK")  # of a process: torchrun sets them
FAILURES = (OSError, MemoryError)  # what the machine can refuse during training


@dataclass(frozen=True)
class Processes:
    """The processes of a run, as one of them sees them.

    rank: the number of this one among all, from 0; the first one writes and prints.
    count: how many there are.
    local_rank: its number among those of its machine, which is also that of its GPU.
    program: what begins a line about an error.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    program: str = "experiments"

    @property
    def is_first(self):
        return self.rank == 0

    def share(self, total):
        """Return the rows of a batch of `total` that this process gets; see `share`."""
        return share(self.rank, self.count, total)

    def gather(self, value):
        """Return [value of process 0, value of process 1, …]; the values are pickled."""
        if self.count == 1:
            return [value]
        import torch.distributed

        values = [None] * self.count
        torch.distributed.all_gather_object(values, value)
        return values

    def from_first(self, value):
        """Return the value that the first process gave; the others' is ignored."""
        if self.count == 1:
            return value
        import torch.distributed

        values = [value]
        torch.distributed.broadcast_object_list(values, src=0)
        return values[0]

    @contextmanager
    def together(self, errors=MISTAKES):
        """End all processes with exit code 2 and one line if the block raises one of `errors` in any.

        The block must exchange nothing: a process that fails in it goes straight to its end.
        """
        found = None
        try:
            yield
        except errors as error:
            found = error
        failed = self.gather(found is not None)
        if any(failed):
            if failed.index(True) == self.rank:
                report_mistake(self.program, found)
            self.gather(None)  # torchrun ends the others at the first exit: not before the line is out
            raise SystemExit(2)

    def first(self, make):
        """Let the first process call `make()` and return the result in all; errors: see `together`."""
        value = None
        with self.together():
            if self.is_first:
                value = make()
        return self.from_first(value)

    def check(self, twin, device):
        """Raise ValueError for the NumPy twin, or a process without a GPU; device: training.device."""
        if self.count > 1:
            from . import spread

            spread.check_processes(self, twin, device)

    def splitter(self, training):
        """Return what `build_trainer` takes as `spread`, for a TrainingConfig; all call this at once."""
        if self.count == 1:
            return None
        from . import spread

        return spread.splitter(self, training)

    def connect(self, trainer):
        """Let a trainer do its steps with those of the other processes; all call this at once."""
        if self.count > 1:
            from . import spread

            spread.connect(trainer, self)


ALONE = Processes()


def share(rank, count, total):
    """Return the slice of `total` rows that process `rank` of `count` gets.

    The slices follow each other, and their lengths differ by at most 1. With fewer rows than processes
    some are empty.
    """
    return slice(total * rank // count, total * (rank + 1) // count)


def _is_one_of_several():
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ["WORLD_SIZE"] != "1"


def run_program(main):
    """Call main() and end the process with its exit code.

    One of several processes ends without the interpreter's own end. FSDP2 keeps its process group, and a
    thread of gloo may still hold the last tensor that it sent. To free it, the thread asks for a lock
    that an ending interpreter no longer gives, and PyTorch aborts ("terminate called without an active
    exception").
    """
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
    if _is_one_of_several():
        gc.collect()  # ends the worker processes of a loader
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)


@contextmanager
def joined(program):
    """Join the processes that torchrun started, and yield the Processes; without torchrun, one alone.

    Tensors on the CPU are exchanged by gloo, those on GPUs by NCCL. What a process other than the first
    prints is dropped within the block; lines about errors are not.
    """
    if not _is_one_of_several():
        yield Processes(program=program)
        return
    import torch

    processes = Processes(*(int(os.environ[name]) for name in NUMBERS), program)
    if processes.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(processes.local_rank)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    begins = not torch.distributed.is_initialized()  # else a program has, that calls several commands
    if begins:
        torch.distributed.init_process_group(backend, timeout=PATIENCE)
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(sys.stdout if processes.is_first else nowhere),
    ):
        try:
            yield processes
        except RuntimeError as error:
            if not _is_lost_process(error):
                raise
            lost = f"process {processes.rank} of {processes.count} has lost another one"
            print(f"{lost} ({str(error).splitlines()[0]})", file=sys.stderr)
            raise SystemExit(1) from None
    if begins:
        torch.distributed.destroy_process_group()


def _is_lost_process(error):
    """Whether the error says that another process is gone or silent; that one has the reason."""
    import torch.distributed

    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
