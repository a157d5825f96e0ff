"""Evaluate a split of the data by several processes, each of them its share."""

import math

import numpy as np

from experiments.distributed import ALONE


def evaluated(trainer, split, processes=ALONE, progress=iter):
    """Return the trainer's EvalResult of a split, in all processes; all call this at once.

    The images need not be in memory at once.
    progress: what the iteration over (images, labels) goes through.
    """
    own = _own(trainer, split, processes, progress)
    results = [part for parts in processes.gather(own) for part in parts]
    if len(results) == 1:
        return results[0]
    losses = [result.loss * len(result.predicted) for result in results]
    predicted = np.concatenate([result.predicted for result in results])
    correct = sum(result.correct for result in results)
    return type(results[0])(math.fsum(losses) / len(predicted), correct, predicted)


def _own(trainer, split, processes, progress):
    """Return the results of this process's share.

    Every process does as many forward passes, because each pass of a split model gathers its weights.
    So the image that only some of the shares have is evaluated by itself, in the others the first one.
    """
    total = len(split.labels)
    share, least = processes.share(total), total // processes.count
    end = share.start + least
    results = _rows(trainer, split, share.start, end, progress) if least else []
    if total % processes.count:
        has_one_more = end < share.stop
        row = end if has_one_more else 0
        one = _rows(trainer, split, row, row + 1, progress)
        results += one if has_one_more else []
    return results


def _rows(trainer, split, start, stop, progress):
    chunks = split.part(slice(start, stop)).chunks()
    return [trainer.evaluate(*chunk) for chunk in progress(chunks)]
