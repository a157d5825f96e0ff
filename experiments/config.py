"""The typed configuration, from a YAML file and the command line."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from jsonargparse import ArgumentParser

from . import plain_yaml


@dataclass
class ModelConfig:
    """The vision transformer.

    Args:
        patch_size: side of a square patch in pixels; the image must be divisible by it.
        embed_dim: width of the tokens; must be divisible by num_heads.
        depth: number of blocks.
        num_heads: attention heads of each block.
        mlp_ratio: width of the MLP as a multiple of embed_dim.
        qkv_bias: whether queries, keys and values have a bias vector.
        global_pool: "avg" classifies the mean of all tokens, "token" a class token.
        cosine_attention: scaled cosine scores with a learned temperature (Swin V2).
        drop_rate: dropout after the embedding, the attention projection and in the MLP.
        attn_drop_rate: dropout of the attention probabilities.
        drop_path_rate: stochastic depth of the last block; grows linearly over the blocks.
        init_values: what the layer scale of each branch begins with; null for no layer scale.
        norm_eps: added to the variance in every layer norm.
        dtype: precision of weights and arithmetic.
    """

    patch_size: int = 2
    embed_dim: int = 64
    depth: int = 4
    num_heads: int = 4
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    global_pool: Literal["avg", "token"] = "avg"
    cosine_attention: bool = False
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    init_values: float | None = None
    norm_eps: float = 1e-6
    dtype: Literal["float32", "float64"] = "float32"


@dataclass
class RelativePositionConfig:
    """Where the model takes positions from.

    Args:
        position: "relative" (a bias for each layer), "shared_relative" (one for all layers),
            "absolute" (a learned embedding) or "none".
        bias_type: scheme of the relative bias, one of those in docs/schemes.md.
        window_size: the window the bias covers; null takes the patch grid, the only size that fits.
        init_std: standard deviation of a fresh table.
        rpb_kwargs: further options of the scheme, for example {num_buckets: 16} for t5.
    """

    position: Literal["relative", "shared_relative", "absolute", "none"] = "relative"
    bias_type: str = "2d"
    window_size: list[int] | int | None = None
    init_std: float = 0.02
    rpb_kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrainingConfig:
    """Optimisation.

    Args:
        epochs: passes over the training split.
        batch_size: images per step.
        lr: peak learning rate of AdamW.
        min_lr: where the cosine schedule ends.
        warmup_epochs: linear warm-up; fractions are fine; at least epochs means it never ends.
        weight_decay: decoupled decay of weight matrices; none on norms, biases and bias tables.
        table_lr_factor: learning rate of the position bias's tables, as a multiple of lr.
        beta1: decay of AdamW's mean of gradients.
        beta2: decay of AdamW's mean of squared gradients.
        clip_norm: largest global gradient norm; null switches clipping off.
        label_smoothing: share of the target spread over all classes.
        seed: of the weights, the data order, the augmentation and the dropout.
        device: "auto" takes CUDA where the PyTorch twin finds it; the NumPy twin runs on the CPU.
    """

    epochs: int = 40
    batch_size: int = 64
    lr: float = 2e-3
    min_lr: float = 0.0
    warmup_epochs: float = 2.0
    weight_decay: float = 0.05
    table_lr_factor: float = 20.0
    beta1: float = 0.9
    beta2: float = 0.999
    clip_norm: float | None = 1.0
    label_smoothing: float = 0.0
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass
class VisualizationConfig:
    """Pictures of a finished run.

    Args:
        enabled: draw them at the end of training.
        num_images: how many test images get an attention map.
        layer: the block whose attention is drawn; -1 is the last.
    """

    enabled: bool = True
    num_images: int = 6
    layer: int = -1


@dataclass
class DataConfig:
    """The data set and its augmentation.

    Args:
        name: digits (bundled with scikit-learn), fashion_mnist, mnist or folder.
        root: folder of the data; null looks where Debian's dataset-fashion-mnist puts it.
        val_fraction: share of the images held out to choose the best epoch.
        test_fraction: share held out for the reported accuracy; MNIST-like data bring their own.
        image_size: height and width to resize the images to, one number for both, or null.
        split_seed: of the split; apart from training.seed, so that every run sees the same split.
        max_shift: largest random shift in pixels.
        flip: random horizontal flips.
    """

    name: Literal["digits", "fashion_mnist", "mnist", "folder"] = "digits"
    root: str | None = None
    val_fraction: float = 0.15
    test_fraction: float = 0.15
    image_size: list[int] | int | None = None
    split_seed: int = 0
    max_shift: int = 0
    flip: bool = False


@dataclass
class Config:
    """Everything that determines a run, apart from the twin that runs it."""

    model: ModelConfig
    relative_position: RelativePositionConfig
    training: TrainingConfig
    visualization: VisualizationConfig
    data: DataConfig


SECTIONS = {
    "model": ModelConfig,
    "relative_position": RelativePositionConfig,
    "training": TrainingConfig,
    "visualization": VisualizationConfig,
    "data": DataConfig,
}


def add_sections(parser):
    """--config and every option of the five sections."""
    parser.add_argument("--config", action="config", help="YAML file with any of the options below")
    for name, section in SECTIONS.items():
        parser.add_class_arguments(section, name)


def to_config(namespace):
    """The parsed options as a Config; raises ValueError for values out of range."""
    sections = {}
    for name, section in SECTIONS.items():
        given = {} if namespace[name] is None else namespace[name]  # "model:" with nothing below
        if not hasattr(given, "items"):
            raise ValueError(f"{name} is {given!r}, expected options, each with its name")
        sections[name] = section(**dict(given.items()))
    config = Config(**sections)
    check(config)
    return config


def load_config(path):
    """Read a YAML file; raises ValueError naming it when it does not hold a config."""
    parser = ArgumentParser(exit_on_error=False, parser_mode=plain_yaml.MODE)
    add_sections(parser)
    try:
        return to_config(parser.parse_args(["--config", str(path)]))
    except Exception as error:
        raise ValueError(f"{path}: {one_line(error)}") from error


def check(config):
    """What a type cannot say; the model's own constraints are checked when it is built."""
    training, data = config.training, config.data
    for name in SECTIONS:
        for option, value in vars(getattr(config, name)).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name}.{option} is {value}, expected a finite number")
    _at_least("model.depth", config.model.depth, 1)
    if config.model.mlp_ratio <= 0:
        raise ValueError(f"model.mlp_ratio is {config.model.mlp_ratio}, expected a positive number")
    _at_least("training.epochs", training.epochs, 1)
    _at_least("training.batch_size", training.batch_size, 1)
    _at_least("training.seed", training.seed, 0)
    _at_least("data.max_shift", data.max_shift, 0)
    _at_least("visualization.num_images", config.visualization.num_images, 1)
    for name in ("min_lr", "warmup_epochs", "weight_decay", "table_lr_factor"):
        _at_least(f"training.{name}", getattr(training, name), 0)
    if training.lr <= 0:
        raise ValueError(f"training.lr is {training.lr}, expected a positive number")
    if training.min_lr > training.lr:
        raise ValueError(f"training.min_lr is {training.min_lr}, expected at most lr {training.lr}")
    if training.clip_norm is not None and training.clip_norm <= 0:
        raise ValueError(f"training.clip_norm is {training.clip_norm}, expected positive or null")
    for name in ("beta1", "beta2", "label_smoothing"):
        value = getattr(training, name)
        if not 0 <= value < 1:
            raise ValueError(f"training.{name} is {value}, expected a number in [0, 1)")
    depth, layer = config.model.depth, config.visualization.layer
    if not -depth <= layer < depth:
        raise ValueError(f"visualization.layer is {layer}, expected one of the {depth} blocks")


def one_line(error):
    """An error's message with its line breaks folded."""
    return " ".join(str(error).split())


def _at_least(name, value, least):
    if not value >= least:
        raise ValueError(f"{name} is {value}, expected at least {least}")
