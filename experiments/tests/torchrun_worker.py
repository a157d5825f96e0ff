"""What test_distributed starts by torchrun: one or more commands in the same processes.

    python -m torch.distributed.run … -m experiments.tests.torchrun_worker FOLDER COMMANDS

COMMANDS is a JSON list of argument lists of experiments.train. Process N writes FOLDER/N.json: for each
command its exit code, what it wrote to stderr and the gradient's norm at each step. KILL="RANK STEP" in
the environment kills that process with SIGKILL before that step.
"""

import io
import json
import os
import signal
import sys
from contextlib import contextmanager, redirect_stderr
from datetime import timedelta
from pathlib import Path

import torch.distributed

from experiments.distributed import run_program
from experiments.train import main as train
from torch_impl import Trainer

KILL = os.environ.get("KILL")


@contextmanager
def watched_steps():
    """Yield the list that gets the gradient's norm of each step within the block."""
    norms, own_step = [], Trainer.train_step

    def train_step(self, images, labels):
        if f"{os.environ.get('RANK')} {self.steps}" == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        step = own_step(self, images, labels)
        norms.append(step.grad_norm)
        return step

    Trainer.train_step = train_step
    try:
        yield norms
    finally:
        Trainer.train_step = own_step


def result(command):
    """Return (exit code, stderr, norms of the gradient) of a command."""
    with redirect_stderr(io.StringIO()) as said, watched_steps() as norms:
        try:
            code = train(command)
        except SystemExit as stop:
            code = stop.code
    return code, said.getvalue(), norms


def main():
    folder, commands = sys.argv[1:]
    torch.distributed.init_process_group("gloo", timeout=timedelta(minutes=10))
    results = [result(command) for command in json.loads(commands)]
    (Path(folder) / f"{os.environ['RANK']}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    run_program(main)
