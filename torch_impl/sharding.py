"""Tensors that FSDP2 has split over processes, as DTensors: whole again, and others split alike."""

from typing import TYPE_CHECKING, TypeGuard

from torch import Tensor

if TYPE_CHECKING:  # half a second to import, which only those who split tensors pay
    from torch.distributed.tensor import DTensor


def whole(x: Tensor) -> Tensor:
    """Return a split tensor whole, which every process has to ask for at once; another as it is."""
    return x.full_tensor() if _is_split(x) else x


def like(x: Tensor, other: Tensor) -> Tensor:
    """Return x with the dtype and on the device of `other`, and split as it is; all have the same x."""
    x = x.to(other.device, other.dtype)
    if not _is_split(other):
        return x
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(x, other.device_mesh, other.placements, src_data_rank=None)


def _is_split(x: Tensor) -> "TypeGuard[DTensor]":
    """Return whether it is a DTensor: no other tensor has the method."""
    return hasattr(x, "full_tensor")
