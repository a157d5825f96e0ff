"""Memory and speed of reading a streamed folder: does memory grow with the number of images?

    python -m benchmarks.streaming 1000 100000

For each number, small JPEGs are written to a temporary folder. A fresh process reads one epoch of them
with worker processes and takes some training steps. The folder is removed afterwards.
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

SIZE, BATCH, STEPS, CLASSES = 32, 64, 20, 10
MEAN, STD = [0.5] * 3, [0.25] * 3


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=[1000, 100_000], help="numbers of images")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(Path(options.child), options.workers)))
        return
    print("| images | bytes of files | main process | largest worker | read ahead | here, one by one |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in options.counts:
        with tempfile.TemporaryDirectory() as folder:
            size = write_images(Path(folder), count)
            command = [sys.executable, "-m", "benchmarks.streaming", "--child", folder]
            command += ["--workers", str(options.workers)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            row = json.loads(done.stdout)
        print(
            f"| {count:,} | {size / 2**20:.0f} MiB | {row['main']:.0f} MiB | {row['worker']:.0f} MiB | "
            f"{row['ahead']:.0f} img/s | {row['here']:.0f} img/s |",
            flush=True,
        )


def write_images(folder, count):
    """Write `count` random JPEGs of 32x32 for training, and a few more; return their bytes."""
    import numpy as np
    from PIL import Image

    rng, size = np.random.default_rng(0), 0
    for part, number in (("train", count), ("val", 10 * CLASSES), ("test", 10 * CLASSES)):
        for i in range(number):
            path = folder / part / str(i % CLASSES) / f"{i:07}.jpg"
            if i < CLASSES:
                path.parent.mkdir(parents=True)
            low = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
            low.resize((SIZE, SIZE)).save(path, quality=75)
            size += path.stat().st_size
    return size


def measured(folder, workers):
    """Return peak memory in MiB and images per second of an epoch and of some training steps."""
    import numpy as np

    from experiments.data import load_data
    from experiments.data.batches import batches
    from torch_impl import Trainer, VisionTransformer

    data = load_data(
        "folder", folder, image_size=SIZE, streaming=True, workers=workers, mean=MEAN, std=STD
    )
    sizes = {"img_size": SIZE, "patch_size": 4, "in_chans": 3, "num_classes": CLASSES}
    model = VisionTransformer(**sizes, embed_dim=48, depth=2, generator=np.random.default_rng(0))
    trainer = Trainer(model, 1e-3, STEPS)
    list(data.val.chunks())  # starts the processes
    started = time.perf_counter()
    seen = sum(len(labels) for _, labels in batches(data.train, BATCH, 0, epoch=1, flip=True))
    ahead = seen / (time.perf_counter() - started)
    for images, labels in islice(batches(data.train, BATCH, 0, epoch=2, flip=True), STEPS):
        trainer.train_step(images, labels)
    worker = max(peak_of(child.pid) for child in multiprocessing.active_children())
    return {"main": peak(), "worker": worker, "ahead": ahead, "here": speed_here(data)}


def speed_here(data, count=1000):
    """Return the images per second that this process reads alone."""
    import numpy as np

    started = time.perf_counter()
    data.train.at(np.arange(min(count, len(data.train.labels))))
    return min(count, len(data.train.labels)) / (time.perf_counter() - started)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def peak_of(pid):
    """Return the largest resident size of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


if __name__ == "__main__":
    main()
