"""Spread a trainer of the PyTorch twin over processes: DDP, or FSDP2, which also splits the weights."""

import warnings
from contextlib import contextmanager

import numpy as np
import torch
from torch import distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

import torch_impl.processes
from torch_impl.block import Block
from torch_impl.swin_block import SwinTransformerBlock


class Exchange(torch_impl.processes.Processes):
    """What happens between the processes in a training step; backward itself sums the gradients.

    processes: experiments.distributed.Processes.
    draws: the SharedDraws of the model.
    adding: returns a context in which backward leaves the gradients in this process.
    """

    def __init__(self, processes, draws, adding):
        self.processes, self.draws, self.adding = processes, draws, adding

    def counts(self, count):
        counts = torch.zeros(self.processes.count, dtype=torch.int64)
        counts[self.processes.rank] = count
        dist.all_reduce(counts)
        return counts.tolist()

    @contextmanager
    def micro_batch(self, counts, last):
        with self.draws.shared(self.processes.rank, counts):
            if last:
                yield
            else:
                with self.adding():
                    yield

    def padded(self, images, labels):
        """Return the micro-batch; an empty one becomes one image of zeros, whose loss has weight 0.

        Backward exchanges gradients, so every process has to take part in it.
        """
        if len(labels):
            return images, labels
        return tuple(np.zeros((1, *array.shape[1:]), array.dtype) for array in (images, labels))

    def reduce_sums(self, sums):
        dist.all_reduce(sums)


class SharedDraws(np.random.Generator):
    """A generator for dropout in several processes.

    Every process draws the numbers of the whole batch, the same that a single process would draw.
    `random` returns the part that belongs to this process's images.
    """

    _share = None

    @contextmanager
    def shared(self, rank, counts):
        """Open a block in which `random` draws for all images and returns the part of process `rank`.

        counts: the number of images of each process.
        """
        first = min(sum(counts[:rank]), sum(counts) - 1)  # a process without an image has one of zeros
        self._share = first, max(counts[rank], 1), sum(counts)
        try:
            yield
        finally:
            self._share = None

    def random(self, size=None, dtype=np.float64, out=None):
        """Draw as NumPy does.

        Within `shared`, axis 0 of `size` is a multiple of the number of this process's images.
        """
        if self._share is None:
            return super().random(size, dtype, out)
        first, own, total = self._share
        rows = size[0] // own  # of an image: a Swin has several windows of it
        drawn = super().random((total * rows, *size[1:]), dtype)
        return drawn[first * rows : (first + own) * rows]


def check_processes(processes, twin, device):
    """Raise ValueError for the NumPy twin, and where this process has no GPU of its own.

    device: training.device.
    """
    if twin != "torch":
        raise ValueError(
            f"the {twin} twin trains in one process, but torchrun started {processes.count}: leave "
            "torchrun out, or take --backend torch"
        )
    found = torch.cuda.device_count()
    if device != "cpu" and found and processes.local_rank >= found:
        raise ValueError(
            f"this machine has {found} GPUs for more processes: start {found} on it, or take "
            "--training.device cpu"
        )


def splitter(processes, training):
    """Return what `build_trainer` takes as `spread`; None where every process has all weights."""
    if training.distributed == "ddp":
        return None
    on_gpu = training.device != "cpu" and torch.cuda.is_available()
    mesh = init_device_mesh("cuda" if on_gpu else "cpu", (processes.count,))
    return lambda model: split_model(model, mesh)


def split_model(model, mesh):
    """Split a model's weights over the processes of a mesh by FSDP2, in a group per block and the rest.

    Gradients are summed, where FSDP2 by itself averages. The rest too is split again after each forward
    pass. FSDP2 by itself leaves it whole for a backward, which an evaluation does not have: the next
    step would neither clear its gradients nor see the weights that the average has given back.
    """
    model = model.to(mesh.device_type)
    blocks = [m for m in model.modules() if isinstance(m, (Block, SwinTransformerBlock))]
    for module in (*blocks, model):
        fully_shard(module, mesh=mesh, reshard_after_forward=True)
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
    return model


def connect(trainer, processes):
    """Let a trainer do its steps together with those of the other processes; all call this at once.

    A model that `split_model` did not split is replicated by DDP.
    """
    model, draws = trainer.model, _share_draws(trainer.model)
    if isinstance(model, FSDPModule):
        trainer.processes = Exchange(processes, draws, lambda: _adding(model))
        return
    network = model if trainer.network is None else trainer.network  # the latter is compiled
    with warnings.catch_warnings():  # PyTorch 2.13 has another name for broadcast_buffers, 2.11 has not
        warnings.simplefilter("ignore", FutureWarning)
        network = DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)
    network.register_comm_hook(None, _summed)
    trainer.network = network
    trainer.processes = Exchange(processes, draws, network.no_sync)


def _share_draws(model):
    """Give the model SharedDraws as its generator, and return it.

    Dropout within a position scheme is for a table, not for images, and stays the same in all processes.
    """
    generator, draws = model.generator, SharedDraws(model.generator.bit_generator)
    of_tables = {m for scheme in model.rel_pos_biases().values() for m in scheme.modules()}
    for module in model.modules():
        if getattr(module, "generator", None) is generator and module not in of_tables:
            module.generator = draws
    return draws


@contextmanager
def _adding(model):
    """Let backward of a split model keep its gradients in this process within the block."""
    model.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        model.set_requires_gradient_sync(True)


def _summed(_, bucket):
    """Sum a bucket of gradients over the processes, where DDP by itself averages."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda done: done.value()[0])
