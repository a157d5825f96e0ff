"""Import torchvision, whose transforms augment images, where it is installed."""

import importlib

_libraries = []  # keeps the libraries, since an operator is removed with its library


def transforms():
    """Return the module torchvision.transforms.v2; raise ValueError if it cannot be imported."""
    try:
        import_torchvision()
        return importlib.import_module("torchvision.transforms.v2")
    except Exception as error:  # a broken installation raises more than ImportError
        raise ValueError(
            "random crops, RandAugment, random erasing, mixup and cutmix need torchvision, which cannot "
            f"be imported ({error}): pip install torch torchvision"
        ) from error


def import_torchvision():
    """Import torchvision, also a wheel for CUDA beside a CPU-only torch, where the import fails.

    It registers the shapes of two compiled operators, so these are defined here; neither its layers nor
    its transforms need them.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        import torch

        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)
        importlib.import_module("torchvision")
