"""The typed configuration, from a YAML file and the command line."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jsonargparse import ArgumentParser

from . import plain_yaml
from .data.augmentation import FULL_MAGNITUDE, Augmentation
from .model_config import DEFAULT_SCHEMES, ModelConfig
from .training_config import TrainingConfig, at_least, check_training


@dataclass
class RelativePositionConfig:
    """Where the model takes positions from.

    Args:
        position: "relative" (a bias for each layer), "none", or, for a vit, "shared_relative" (one
            bias for all layers) or "absolute" (a learned embedding).
        bias_type: scheme of the relative bias, one of those in docs/schemes.md; null takes the
            model's own, log_cpb for swinv2 and 2d for the others.
        window_size: the window a vit's bias covers; null takes the patch grid, the only size that
            fits. The window of swin and swinv2 is model.window_size.
        init_std: standard deviation of a fresh table.
        rpb_kwargs: further options of the scheme, for example {num_buckets: 16} for t5.
    """

    position: Literal["relative", "shared_relative", "absolute", "none"] = "relative"
    bias_type: str | None = None
    window_size: list[int] | int | None = None
    init_std: float = 0.02
    rpb_kwargs: dict[str, Any] = field(default_factory=dict)


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
        streaming: of a folder: true reads images while they are used, false keeps them in memory; auto
            streams if they would take more than 1 GiB, or if single images are augmented.
        workers: processes that read the images of a streamed folder; they change no bit.
        mean: per channel, of images in [0, 1]; null measures it.
        std: per channel; null measures it.
        crop_pct: share of an image's side that is kept after scaling; null resizes all of it.
        interpolation: filter that resizes a folder's images.
        crop_scale: least and largest share of the area of random resized crops; null makes none.
        crop_ratio: least and largest width over height of random resized crops.
        rand_augment: RandAugment's number of operations and magnitude (0 to 10); null for none.
        random_erasing: probability that a rectangle of an image becomes noise.
        mixup: alpha of mixup; 0 for none.
        cutmix: alpha of cutmix; 0 for none; with mixup too, each batch gets one of them.
    """

    name: Literal["digits", "fashion_mnist", "mnist", "folder"] = "digits"
    root: str | None = None
    val_fraction: float = 0.15
    test_fraction: float = 0.15
    image_size: list[int] | int | None = None
    split_seed: int = 0
    max_shift: int = 0
    flip: bool = False
    streaming: bool | Literal["auto"] = "auto"
    workers: int = 4
    mean: list[float] | None = None
    std: list[float] | None = None
    crop_pct: float | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    crop_scale: list[float] | None = None
    crop_ratio: list[float] = field(default_factory=lambda: [3 / 4, 4 / 3])
    rand_augment: list[int] | None = None
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def augmentation(self) -> Augmentation:
        """What is done to training images beside shifts and flips."""
        return Augmentation(
            crop_scale=self.crop_scale and tuple(self.crop_scale),
            crop_ratio=tuple(self.crop_ratio),
            rand_augment=self.rand_augment and tuple(self.rand_augment),
            random_erasing=self.random_erasing,
            mixup=self.mixup,
            cutmix=self.cutmix,
        )


@dataclass
class Config:
    """Everything that determines a run, apart from the twin that runs it."""

    model: ModelConfig
    relative_position: RelativePositionConfig
    training: TrainingConfig
    visualization: VisualizationConfig
    data: DataConfig

    def __post_init__(self):
        if self.relative_position.bias_type is None:
            own = DEFAULT_SCHEMES[self.model.name]
            self.relative_position = replace(self.relative_position, bias_type=own)


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


def config_first(argv):
    """Return the arguments with --config in front: every other option overrides the file."""
    places = set()
    for n, argument in enumerate(argv):
        if argument == "--config":
            places |= {n, n + 1}
        elif argument.startswith("--config="):
            places.add(n)
    order = sorted(range(len(argv)), key=lambda n: n not in places)  # the sort is stable
    return [argv[n] for n in order]


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
    for name in SECTIONS:
        for option, value in vars(getattr(config, name)).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name}.{option} is {value}, expected a finite number")
    _check_model(config.model, config.relative_position)
    check_training(config.training, config.model.dtype)
    _check_data(config.data)
    at_least("visualization.num_images", config.visualization.num_images, 1)
    count, layer = config.model.num_blocks, config.visualization.layer
    if not -count <= layer < count:
        raise ValueError(f"visualization.layer is {layer}, expected one of the {count} blocks")


def _check_data(data):
    for name in ("max_shift", "workers", "mixup", "cutmix"):
        at_least(f"data.{name}", getattr(data, name), 0)
    if not 0 <= data.random_erasing <= 1:
        raise ValueError(f"data.random_erasing is {data.random_erasing}, expected a number in [0, 1]")
    if data.crop_scale is not None:
        _check_interval("data.crop_scale", data.crop_scale, 1)
    _check_interval("data.crop_ratio", data.crop_ratio, math.inf)
    rand = data.rand_augment
    if rand is not None and not (len(rand) == 2 and rand[0] >= 1 and 0 <= rand[1] <= FULL_MAGNITUDE):
        raise ValueError(
            f"data.rand_augment is {rand}, expected a number of operations and a magnitude of 0 to "
            f"{FULL_MAGNITUDE}"
        )
    if data.augmentation.changes_images and (data.name != "folder" or data.streaming is False):
        raise ValueError(
            "data.crop_scale, data.rand_augment, data.random_erasing: only for a folder that is streamed"
        )


def _check_interval(name, value, most):
    if not (len(value) == 2 and 0 < value[0] <= value[1] <= most and math.isfinite(value[1])):
        raise ValueError(
            f"{name} is {value}, expected the least and the largest, above 0 and up to {most}"
        )


def _check_model(model, relative):
    if model.mlp_ratio <= 0:
        raise ValueError(f"model.mlp_ratio is {model.mlp_ratio}, expected a positive number")
    if model.name == "vit":
        at_least("model.depth", model.depth, 1)
    else:
        _check_swin(model, relative)


def _check_swin(model, relative):
    if not model.depths or min(model.depths) < 1:
        raise ValueError(f"model.depths is {model.depths}, expected a number of blocks for each stage")
    if relative.position not in ("relative", "none"):
        raise ValueError(
            f"relative_position.position is {relative.position}, expected relative or none for a "
            f"{model.name}"
        )
    if relative.window_size is not None:
        raise ValueError(
            f"relative_position.window_size is {relative.window_size}, but the window of a "
            f"{model.name} is model.window_size"
        )


def one_line(error):
    """An error's message with its line breaks folded."""
    return " ".join(str(error).split())
