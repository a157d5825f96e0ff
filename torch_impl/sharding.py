"""Tensors that FSDP2 has split over processes, as DTensors: whole again, and others split alike."""

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(x: Tensor) -> Tensor:
    """Return a split tensor whole, which every process has to ask for at once; another as it is."""
    return x.full_tensor() if isinstance(x, DTensor) else x


def like(x: Tensor, other: Tensor) -> Tensor:
    """Return x with the dtype and on the device of `other`, and split as it is; all have the same x."""
    x = x.to(other.device, other.dtype)
    if not isinstance(other, DTensor):
        return x
    return distribute_tensor(x, other.device_mesh, other.placements, src_data_rank=None)
