"""Build the data set and the trainer of either twin from a config."""

import importlib

import numpy as np

from .data import load_data
from .data.batches import batches

OWN_OPTIONS = {
    "bias_type",
    "dtype",
    "generator",
    "init_std",
    "num_heads",
    "num_prefix_tokens",
    "window_size",
}
TWINS = {"numpy": "numpy_ref", "torch": "torch_impl"}
OF_A_STEP = ("accumulate", "ema_decay", "precision", "attention", "compile")
MODELS = {"vit": "VisionTransformer", "swin": "SwinTransformer", "swinv2": "SwinTransformer"}


def load_dataset(data):
    """Load the data set of a DataConfig, split and standardised.

    Raises ValueError also for augmentation whose library is not installed.
    """
    data.augmentation.check_installed()
    size = tuple(data.image_size) if isinstance(data.image_size, list) else data.image_size
    return load_data(
        data.name,
        data.root,
        data.val_fraction,
        data.test_fraction,
        size,
        data.split_seed,
        streaming=data.augmentation.changes_images or data.streaming,
        workers=data.workers,
        mean=data.mean,
        std=data.std,
        crop_pct=data.crop_pct,
        interpolation=data.interpolation,
    )


def epoch_batches(config, dataset, epoch, share=(0, 1)):
    """Return an epoch's training batches; share: (rank, ranks) of this process, see `batches`."""
    training, data = config.training, config.data
    return batches(
        dataset.train,
        training.batch_size,
        training.seed,
        epoch,
        data.max_shift,
        data.flip,
        dataset.black,
        data.augmentation,
        len(dataset.classes),
        share,
    )


def steps_per_epoch(config, summary):
    return -(-summary.counts["train"] // config.training.batch_size)


def build_trainer(backend, config, summary, spread=None):
    """Build a fresh Trainer for data with this Summary.

    spread: changes the model before the optimizer is made for it; see experiments.distributed.spread.
    The same seed gives the same weights in both twins. Raises ValueError or TypeError when values do
    not fit together, before anything is computed, and ValueError when a package is missing.
    """
    twin = import_twin(backend)
    training = config.training
    per_epoch = steps_per_epoch(config, summary)
    model = getattr(twin, MODELS[config.model.name])(**_model_arguments(config, summary))
    return twin.Trainer(
        model if spread is None else spread(model),
        training.lr,
        training.epochs * per_epoch,
        round(training.warmup_epochs * per_epoch),
        training.min_lr,
        training.weight_decay,
        training.table_lr_factor,
        (training.beta1, training.beta2),
        training.clip_norm,
        training.label_smoothing,
        training.device,
        **{name: getattr(training, name) for name in OF_A_STEP},
    )


def import_twin(backend):
    """Import the twin's package; raise ValueError when a package that it needs is not installed."""
    try:
        return importlib.import_module(TWINS[backend])
    except ModuleNotFoundError as error:
        raise ValueError(
            f"backend {backend} needs the package {error.name}: pip install -r requirements.txt"
        ) from error


def _model_arguments(config, summary):
    chans, height, width = summary.image_shape
    if config.data.max_shift >= min(height, width):
        raise ValueError(
            f"data.max_shift is {config.data.max_shift}, expected less than the images' {height}x{width}"
        )
    arguments = config.model.options() | {
        "img_size": (height, width),
        "in_chans": chans,
        "num_classes": len(summary.classes),
        "rpb_kwargs": _rpb_kwargs(config.relative_position),
        "generator": np.random.default_rng(config.training.seed),
    }
    position = config.relative_position.position
    if config.model.name == "vit":
        return arguments | {"position": position}
    version = 1 if config.model.name == "swin" else 2
    return arguments | {"version": version, "use_relative_position": position == "relative"}


def _rpb_kwargs(relative):
    """Return the options of the scheme, or None for a position without one."""
    if relative.position in ("relative", "shared_relative"):
        if own := relative.rpb_kwargs.keys() & OWN_OPTIONS:
            raise ValueError(
                f"relative_position.rpb_kwargs has {', '.join(sorted(own))}, which the model or "
                "another option sets"
            )
        window = {} if relative.window_size is None else {"window_size": relative.window_size}
        own = {"bias_type": relative.bias_type, "init_std": relative.init_std}
        return own | window | relative.rpb_kwargs
    if relative.rpb_kwargs or relative.window_size is not None:
        raise ValueError(
            f"relative_position has rpb_kwargs or a window_size, but position is {relative.position!r}"
        )
    return None
