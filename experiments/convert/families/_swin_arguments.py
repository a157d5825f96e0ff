"""The arguments of a Swin Transformer that its tensors tell, and its buffers."""

from functools import partial

import numpy as np

from .. import windows
from ..rules import Arguments
from ..tensors import numbers

EPS = 1e-5  # of the norms, in every library
NO_WINDOW = "nothing in the file tells the window: give window_size"


def arguments(version):
    """Return the family's function `arguments` for a version."""
    return partial(_arguments, version)


def _arguments(version, model, options):
    sizes, depths = model.sizes, model.depths
    channels = sizes["d"]
    if channels != [sizes["D"] << stage for stage in range(len(depths))] or channels[-1] != sizes["F"]:
        raise ValueError(
            f"the stages have {channels} channels, patch_embed {sizes['D']} and norm {sizes['F']}: "
            "expected twice as many in each stage"
        )
    told = _windows(version, model, options["window_size"])
    patch = (sizes["P"], sizes["Q"])
    img_size, assumed = _img_size(model, options["img_size"], told, patch)
    untold = version == 2 and not sizes["a"]  # the windows of the stages, but for the one given
    values = {
        "version": version,
        "img_size": list(img_size),
        "patch_size": list(patch),
        "in_chans": sizes["C"],
        "num_classes": sizes["N"] or 0,
        "embed_dim": sizes["D"],
        "depths": depths,
        "num_heads": sizes["h"],
        "window_size": list(told[0]),
        "always_partition": False,
        "mlp_ratio": model.ratio(sizes["m"][0], channels[0]),
        "qkv_bias": model.has("attn.qkv.bias" if version == 1 else "attn.q_bias"),
        "norm_eps": options["norm_eps"] or EPS,
    }
    if untold:
        values["always_partition"] = bool(options["always_partition"])
        told = [stage_window(values, stage) for stage in range(len(told))]
    else:
        values["always_partition"] = _always_partition(values, told)
    if version == 2:
        values["pretrained_window_sizes"], more = _pretrained(model, options, told)
        assumed += more
    assumed += () if options["norm_eps"] else (f"norm_eps {EPS:g}",)
    return Arguments("SwinTransformer", values, assumed)


def _windows(version, model, given):
    """Return the window of every stage: of its table, of its buffers, or the one that was given."""
    sizes, stages = model.sizes, len(model.depths)
    if version == 1:
        return [_window_of_stage(stage, rows, given) for stage, rows in enumerate(sizes["r"])]
    if sizes["a"]:
        return [((a + 1) // 2, (b + 1) // 2) for a, b in zip(sizes["a"], sizes["b"], strict=True)]
    if given is None:
        raise ValueError(NO_WINDOW)
    return [given] * stages


def _window_of_stage(stage, rows, given):
    """Return the window of a stage, which may be a smaller square than the one given."""
    smaller = given and rows < windows.rows(given)
    return windows.of_rows(f"the table of layers.{stage}", rows, 0, None if smaller else given)


def _img_size(model, given, told, patch):
    """Return the size of the images in pixels, and what was assumed.

    A mask tells it, and so does a window that is smaller in the last stage than in the first.
    """
    if given:
        return given, ()
    masks = model.sizes["w"]
    if masks:
        stage = next(i for i, number in enumerate(masks) if number)
        across = int(np.sqrt(masks[stage]))
        return tuple(p * (across * w << stage) for p, w in zip(patch, told[stage], strict=True)), ()
    last = len(told) - 1
    size = tuple(p * (w << last) for p, w in zip(patch, told[last], strict=True))
    return size, () if told[last] != told[0] else (
        f"img_size {windows.text(size)}, one window in the last stage",
    )


def _always_partition(values, told):
    """Return whether a stage whose map is smaller than the window keeps the window."""
    stages = range(len(told))
    for always in (False, True):
        if told == [stage_window(values | {"always_partition": always}, stage) for stage in stages]:
            return always
    wrong = next(i for i in stages if told[i] != stage_window(values, i))
    raise ValueError(
        f"the window of layers.{wrong} is {windows.text(told[wrong])}, expected "
        f"{windows.text(stage_window(values, wrong))} as window_size is {windows.text(told[0])} and "
        f"img_size {windows.text(values['img_size'])}"
    )


def _pretrained(model, options, told):
    """Return V2's window of each stage in pretraining, 0 where it is the window itself.

    The coordinates tell it, otherwise an option does.
    """
    given = options["pretrained_window_sizes"]
    if given and len(given) != len(told):
        raise ValueError(
            f"pretrained_window_sizes is {given}, expected one for each of {len(told)} stages"
        )
    found = list(given or [0] * len(told))
    tables = [
        (at[0], tensor)
        for (number, at), tensor in model.buffers.items()
        if model.family.buffers[number].make is coordinates
    ]
    for stage, tensor in tables:
        pretrained = windows.pretrained_of(numbers(tensor), told[stage])
        found[stage] = 0 if pretrained == told[stage] else list(pretrained)
    return found, () if tables or given else ("pretrained_window_sizes 0, the windows themselves",)


def stage_map(values, stage):
    """Return the size of a stage's feature map."""
    size = [
        length // patch for length, patch in zip(values["img_size"], values["patch_size"], strict=True)
    ]
    return tuple(-(-length // (1 << stage)) for length in size)


def stage_window(values, stage):
    """Return the window of a stage: smaller where the map is, unless always_partition."""
    window = tuple(values["window_size"])
    return window if values["always_partition"] else tuple(map(min, stage_map(values, stage), window))


def index(arguments, at):
    return windows.index(stage_window(arguments.values, at[0]))


def flat_index(arguments, at):
    window = stage_window(arguments.values, at[0])
    if window != tuple(arguments.values["window_size"]):
        raise ValueError(
            f"torchvision has one window in all stages, layers.{at[0]} has {windows.text(window)}"
        )
    return windows.index(window).ravel()


def coordinates(arguments, at):
    window = stage_window(arguments.values, at[0])
    pretrained = arguments.values["pretrained_window_sizes"][at[0]] or window
    return windows.log_coordinates(window, pretrained)


def mask(arguments, at):
    """Return the mask of a shifted block; a block that sees the whole map has none."""
    stage, block = at
    size, window = stage_map(arguments.values, stage), stage_window(arguments.values, stage)
    if block % 2 == 0 or any(map(int.__le__, size, window)):
        return None
    if any(length % w for length, w in zip(size, window, strict=True)):
        raise ValueError(
            f"the map of layers.{stage} is {windows.text(size)}, expected a multiple of the window "
            f"{windows.text(window)}: the original does not pad"
        )
    return windows.shift_mask(size, window, tuple(w // 2 for w in window))


def buffers(block, version):
    """Return the buffers of a version's blocks.

    l: tokens of a window, s: its pairs; a, b: offsets along height and width; w: windows of the map.
    """
    form = "attention.self."
    known = (
        block.buffer(
            "l l",
            index,
            ("microsoft",),
            microsoft="attn.relative_position_index",
            timm="attn.relative_position_index",
            transformers=form + "relative_position_index",
        ),
        block.buffer("s", flat_index, ("torchvision",), torchvision="attn.relative_position_index"),
        block.buffer("w l l", mask, ("microsoft",), microsoft="attn_mask", timm="attn_mask"),
    )
    if version == 1:
        return known
    table = dict.fromkeys(("timm", "torchvision", "microsoft"), "attn.relative_coords_table")
    table["transformers"] = form + "relative_coords_table"
    return (*known, block.buffer("1 a b 2", coordinates, ("torchvision", "microsoft"), **table))
