"""Runs of several processes, started by torchrun, against the same run of one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_files import write_images
from small_runs import SMALL, assert_same_run, rows_of
from torch import distributed as dist
from torch.distributed.device_mesh import init_device_mesh

from experiments import checkpoint
from experiments.distributed import Processes, share, spread
from experiments.runs import open_run
from experiments.tests.torchrun_worker import watched_steps
from experiments.train import main
from parity_tests import budget
from torch_impl import Trainer, VisionTransformer

ROOT = Path(__file__).parents[2]
WORKER = "experiments.tests.torchrun_worker"
# 1256 images: the last batch of an epoch has one, so a process has none. 271 are evaluated: one has more
# than the other. SMALL has dropout of every kind.
RUN = ["--backend", "torch", "--model.dtype", "float64", *SMALL, "--training.epochs=3"]
RUN += ["--data.val_fraction=0.1505", "--training.batch_size=251"]
STEPS = 6  # of an epoch
SPLIT = ["--training.distributed", "fsdp2"]
SWIN = [
    *RUN[:4],
    *("--training.epochs=1", "--training.batch_size=261", "--visualization.enabled=false"),
    *("--model.name=swin", "--model.embed_dim=16", "--model.depths=[2,2]", "--model.num_heads=[2,4]"),
    *("--model.window_size=2", "--model.patch_size=2", "--model.drop_path_rate=0.3"),
    *("--model.attn_drop_rate=0.1", "--model.proj_drop_rate=0.1", "--training.ema_decay=0.9"),
]
# Cut into 25, 125 and 126 images make 25 and 21 micro-batches. No dropout, whose draws these change.
MICRO = ["--training.accumulate=25", "--training.epochs=1", "--model.drop_rate=0"]
MICRO = [*RUN, *MICRO, "--model.attn_drop_rate=0", "--model.drop_path_rate=0"]

# A folder whose images are read and augmented by a worker of each process. 27 of them are trained on, in
# batches of 13: the last has one, so a process has none.
STREAMED = [
    *RUN[:4],
    *("--model.embed_dim=16", "--model.depth=1", "--model.drop_rate=0.1", "--training.epochs=2"),
    *("--training.batch_size=13", "--visualization.enabled=false", "--data.name=folder"),
    *("--data.image_size=8", "--data.streaming=true", "--data.workers=1", "--data.flip=true"),
    *("--data.crop_scale=[0.3,1.0]", "--data.mixup=0.8"),
]


def small_vit():
    options = {"embed_dim": 16, "depth": 2, "num_heads": 2, "dtype": "float64"}
    return VisionTransformer(8, 4, 1, 3, **options, generator=np.random.default_rng(0))


def small_batch():
    rng = np.random.default_rng(1)
    return rng.standard_normal((6, 1, 8, 8)), rng.integers(0, 3, 6)


def torchrun(processes, module, *arguments, **environment):
    """Run a module in so many processes; there is no time-out but that of their exchanges."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "--", module, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)


def together(folder, processes, *commands, **environment):
    """Run commands of experiments.train one after the other in the same processes.

    Returns for each process the list of (exit code, stderr, norms of the gradient).
    """
    folder.mkdir(exist_ok=True)
    done = torchrun(processes, WORKER, str(folder), json.dumps(commands), **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


def killed(folder, *arguments):
    """Begin a run in two processes, one of which is killed in the middle of the second epoch."""
    command = json.dumps([[*RUN, *arguments, "--run", str(folder)]])
    done = torchrun(2, WORKER, str(folder.parent), command, KILL=f"1 {STEPS + STEPS // 2}")
    assert done.returncode == 1
    assert "exitcode  : -9" in done.stderr
    assert done.stderr.count("Traceback") == 1, done.stderr  # torchrun's own
    assert len(rows_of(folder)) == 1
    return folder


def resumed(folder, processes):
    done = torchrun(processes, "experiments.train", "--resume", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def assert_close(folder, expected):
    """Compare with another run what is in its files; the generator's state and the answers exactly."""
    for name in ("last.safetensors", "best.safetensors"):
        one, other = checkpoint.load(expected / name), checkpoint.load(folder / name)
        assert one.progress["generator"] == other.progress["generator"]
        assert one.arrays.keys() == other.arrays.keys()
        for key, array in one.arrays.items():
            assert budget.float64(key, array, other.arrays[key], budget.TRAINING_LOSS).ok, key
    for one, other in zip(rows_of(expected), rows_of(folder), strict=True):
        for key, value in one.items():
            assert budget.float64(key, value, other[key], budget.TRAINING_LOSS).ok, key
    one, other = (json.loads((f / "evaluation_test.json").read_text()) for f in (expected, folder))
    assert one | {"loss": None} == other | {"loss": None}
    assert budget.float64("loss", one["loss"], other["loss"], budget.TRAINING_LOSS).ok


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Train in one process and return the folder."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert main([*RUN, "--run", str(folder)]) == 0
    counts = open_run(folder).data.counts
    assert (counts["train"] % 251, counts["val"] % 2) == (1, 1)
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Train in two processes without a break; return the folder with the runs and what was said."""
    folder = tmp_path_factory.mktemp("two")
    run = [*RUN, "--run", str(folder / "run")]
    refused = [run, ["--backend", "numpy", *SMALL, "--run", str(folder / "numpy")], ["--nonsense"]]
    swin = [*SWIN, *SPLIT, "--run", str(folder / "swin")]
    micro = [
        [*MICRO, f"--training.distributed={kind}", "--run", str(folder / kind)]
        for kind in ("ddp", "fsdp2")
    ]
    write_images(folder / "images", {"a": 20, "b": 21}, size=(12, 9))
    streamed = [*STREAMED, f"--data.root={folder / 'images'}", "--run", str(folder / "streamed")]
    return folder, together(folder, 2, run, *refused, swin, *micro, streamed)


def test_two_processes_do_what_one_does(two, alone):
    assert_close(two[0] / "run", alone)


def test_a_swin_whose_weights_are_split_does_what_one_process_does(two, tmp_path):
    """Its windows multiply the rows of a draw, and its average of the weights is split too."""
    with watched_steps() as norms:
        assert main([*SWIN, "--run", str(tmp_path / "run")]) == 0
    folder, results = two
    assert_close(folder / "swin", tmp_path / "run")
    for said in results:
        assert budget.float64("norms", norms, said[4][2], budget.TRAINING_LOSS).ok


def test_a_streamed_folder_gives_two_processes_the_images_of_one(two, tmp_path):
    """Read, cropped, flipped and mixed alike, whichever process reads them."""
    folder, results = two
    command = [*STREAMED, f"--data.root={folder / 'images'}", "--run", str(tmp_path / "run")]
    with watched_steps() as norms:
        assert main(command) == 0
    counts = open_run(tmp_path / "run").data.counts
    assert (counts["train"], len(norms)) == (27, 6)
    assert_close(folder / "streamed", tmp_path / "run")
    for said in results:
        assert budget.float64("norms", norms, said[-1][2], budget.TRAINING_LOSS).ok


@pytest.mark.parametrize("decay", [None, 0.5])
def test_a_step_after_an_evaluation_is_that_of_whole_weights(decay):
    """Also before the state is asked for, as the training program does after each evaluation."""
    images, labels = small_batch()
    whole = Trainer(small_vit(), 1e-2, 9, device="cpu", ema_decay=decay)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = spread.split_model(small_vit(), init_device_mesh("cpu", (1,)))
        split = Trainer(model, 1e-2, 9, device="cpu", ema_decay=decay)
        spread.connect(split, Processes())
        for _ in range(3):
            one, other = (t.train_step(images, labels) for t in (whole, split))
            assert budget.float64("step", one, other, budget.TRAINING_LOSS).ok
            one, other = (t.evaluate(images, labels).loss for t in (whole, split))
            assert budget.float64("loss", one, other, budget.TRAINING_LOSS).ok
    finally:
        dist.destroy_process_group()


def test_micro_batches_of_two_processes_do_what_those_of_one_do(two, tmp_path):
    assert main([*MICRO, "--run", str(tmp_path / "run")]) == 0
    for kind in ("ddp", "fsdp2"):
        assert_close(two[0] / kind, tmp_path / "run")


def test_a_mistake_is_one_line_and_ends_all_processes(two):
    folder, results = two
    for number, text in (
        (1, "already holds a run"),
        (2, "the numpy twin trains in one process, but torchrun started 2"),
        (3, "unrecognized arguments: --nonsense"),
    ):
        assert [said[number][0] for said in results] == [2, 2]
        errors = "".join(said[number][1] for said in results)
        assert text in errors
        assert errors.count("\n") == 1, errors
    assert not (folder / "numpy").exists()


def test_a_killed_run_resumes(two, alone, tmp_path):
    """With as many processes the bits are those of a run without a break; one alone can go on too."""
    folder = killed(tmp_path / "run")
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert_same_run(resumed(folder, 2), two[0] / "run")
    assert main(["--resume", str(copy)]) == 0
    assert_close(copy, alone)


def test_a_killed_run_with_split_weights_resumes_in_three_processes(alone, tmp_path):
    folder = killed(tmp_path / "run", *SPLIT)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert_close(resumed(folder, 3), alone)
    assert main(["--resume", str(copy)]) == 0
    assert_close(copy, alone)


ENDING = """
import atexit, sys
from experiments.distributed import run_program
atexit.register(print, "finalized")
def main():
    print("out")
    print("err", file=sys.stderr)
    %s
run_program(main)
"""


@pytest.mark.parametrize(("end", "code"), [("return 3", 3), ("sys.exit(2)", 2), ("return None", 0)])
@pytest.mark.parametrize(("count", "said"), [("2", "out\n"), ("1", "out\nfinalized\n")])
def test_one_of_several_processes_ends_without_the_interpreters_own_end(count, said, end, code):
    """There a thread of gloo aborted every other run of split weights, after its files were written."""
    environment = os.environ | {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": count}
    command = [sys.executable, "-c", ENDING % end]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (code, said, "err\n")


def test_shares_follow_each_other_and_differ_by_one_at_most():
    for count in range(1, 8):
        for total in range(20):
            slices = [share(rank, count, total) for rank in range(count)]
            rows = [row for part in slices for row in range(total)[part]]
            assert rows == list(range(total))
            lengths = [part.stop - part.start for part in slices]
            assert max(lengths) - min(lengths) <= 1
