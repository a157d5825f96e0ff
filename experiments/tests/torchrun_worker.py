"""What test_distributed starts by torchrun: one or more commands in the same processes.

    python -m torch.distributed.run … -m experiments.tests.torchrun_worker FOLDER COMMANDS

COMMANDS is a JSON list of argument lists of experiments.train. Process N writes FOLDER/N.json: for each
command its exit code and what it wrote to stderr. With KILL="RANK STEP" in the environment that process
is killed with SIGKILL before that step.
"""

import io
import json
import os
import signal
import sys
from contextlib import redirect_stderr
from pathlib import Path

import torch.distributed

from experiments.train import main as train
from torch_impl import Trainer

own_step = Trainer.train_step


def step_or_die(self, images, labels):
    rank, step = os.environ["KILL"].split()
    if os.environ["RANK"] == rank and self.steps == int(step):
        os.kill(os.getpid(), signal.SIGKILL)
    return own_step(self, images, labels)


def result(command):
    """Return (exit code, stderr) of a command."""
    with redirect_stderr(io.StringIO()) as said:
        try:
            code = train(command)
        except SystemExit as stop:
            code = stop.code
    return code, said.getvalue()


def main():
    folder, commands = sys.argv[1:]
    if "KILL" in os.environ:
        Trainer.train_step = step_or_die
    torch.distributed.init_process_group("gloo")
    results = [result(command) for command in json.loads(commands)]
    (Path(folder) / f"{os.environ['RANK']}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
