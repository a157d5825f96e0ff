"""Whole Swins of timm, torchvision and transformers: logits, every stage's map, every gradient."""

from functools import partial

import pytest
import torch

from ._convert import in_float64
from ._import import original
from ._swin_names import from_timm, from_torchvision, from_transformers
from ._windows import log_coordinates, offsets
from .agreement import TWINS, Agreement, Ours, rows

timm_v1 = original("timm.models.swin_transformer")
timm_v2 = original("timm.models.swin_transformer_v2")
vision = original("torchvision.models.swin_transformer")
hugging = original("transformers")

SMALL = {"patch_size": 2, "embed_dim": 12, "depths": (2, 2, 1), "num_heads": (2, 3, 4), "window_size": 3}
TWO_STAGES = SMALL | {"depths": (2, 2), "num_heads": (2, 3)}
TINY = {"patch_size": 4, "embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24)}
CLASSES = 5


def of_timm(version, size, sizes):
    """Return (timm's model, its stages, our state from its parameters)."""
    kind = timm_v1.SwinTransformer if version == 1 else timm_v2.SwinTransformerV2
    model = kind(img_size=size, num_classes=CLASSES, **sizes)
    return model, list(model.layers), from_timm


def of_torchvision(version, size, sizes):
    listed = {
        name: [value] * 2 if isinstance(value, int) else list(value) for name, value in sizes.items()
    }
    listed["embed_dim"] = sizes["embed_dim"]
    parts = {} if version == 1 else {"block": vision.SwinTransformerBlockV2}
    parts |= {} if version == 1 else {"downsample_layer": vision.PatchMergingV2}
    model = vision.SwinTransformer(**listed, num_classes=CLASSES, **parts)
    return model, [model.features[2 * n + 1] for n in range(len(sizes["depths"]))], from_torchvision


def of_transformers(version, size, sizes):
    """transformers computes Swin's eager softmax in float32, so its sdpa is compared."""
    kind, of_config = (
        (hugging.SwinForImageClassification, hugging.SwinConfig)
        if version == 1
        else (hugging.Swinv2ForImageClassification, hugging.Swinv2Config)
    )
    attention = {"attn_implementation": "sdpa"} if version == 1 else {}
    model = kind(of_config(image_size=size, num_labels=CLASSES, **sizes, **attention))
    stages = (model.swin if version == 1 else model.swinv2).encoder.layers
    return model, [stage.blocks[-1] for stage in stages], from_transformers


LIBRARIES = {"timm": of_timm, "torchvision": of_torchvision, "transformers": of_transformers}


def agreement_of(library, version, size, sizes, features, batch=2, **ours):
    """Return the Agreement of a library's Swin and ours: the logits, or the maps of all stages."""
    model, stages, state = LIBRARIES[library](version, size, sizes)
    for layer in model.modules():
        if hasattr(layer, "relative_coords_table"):
            window = tuple((length + 1) // 2 for length in layer.relative_coords_table.shape[1:3])
            trained = getattr(layer, "pretrained_window_size", (0, 0))
            layer.relative_coords_table = in_float64(
                layer.relative_coords_table,
                partial(log_coordinates, window=trained if all(trained) else window),
                offsets(window)[None],
            )
    own = sizes | {"version": version, "img_size": size, "num_classes": CLASSES} | ours
    kept = ("patch_embed", "layers") if features else ("",)
    return Agreement(
        Ours("SwinTransformer", "log_cpb" if version == 2 else "2d", own | {"features_only": features}),
        model,
        (lambda images: maps_of(model, stages, images)) if features else (lambda x: logits_of(model(x))),
        lambda p: {name: a for name, a in state(p).items() if name.startswith(kept)},
        {"images": (batch, 3, *size)},
    )


def logits_of(out):
    return out if isinstance(out, torch.Tensor) else out.logits


def maps_of(model, stages, images):
    """Return what the stages put out in the model's forward, as (B, H, W, C)."""
    maps = []

    def keep(module, inputs, out):
        out = out[0] if isinstance(out, tuple) else out
        maps.append(out if out.dim() == 4 else out.unflatten(1, inputs[1]))

    hooks = [stage.register_forward_hook(keep) for stage in stages]
    model(images)
    for hook in hooks:
        hook.remove()
    return maps


FEATURES = pytest.mark.parametrize("features", [False, True], ids=["logits", "features"])


@FEATURES
@pytest.mark.parametrize("size", [(24, 24), (24, 36)], ids=str)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("library", LIBRARIES)
def test_whole_swin(agree, library, version, size, features):
    """Maps of whole windows, but for the last stage of 3×5: there the windows do not shift."""
    agree(agreement_of(library, version, size, SMALL, features))


@FEATURES
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("library", ["torchvision", "transformers"])
def test_windows_that_do_not_divide(agree, library, version, features):
    """Maps of 10×14 and 5×7 are padded, then shifted."""
    agree(agreement_of(library, version, (20, 28), TWO_STAGES, features))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("twin", TWINS)
def test_timm_pads_after_the_shift(twin, version):
    """timm shifts the map first, so its padding lies between rows that were neighbours.

    Its mask is made for the padded map and sets other tokens apart than those that the shift carried.
    Ours agrees with torchvision and transformers (see above), which keep Microsoft's order.
    """
    measured = rows(agreement_of("timm", version, (20, 28), TWO_STAGES, False), twin)
    assert not all(row.ok for row in measured)


@FEATURES
@pytest.mark.parametrize("version", [1, 2])
def test_maps_smaller_than_the_window(agree, version, features):
    """torchvision keeps the whole window and pads: maps of 4×6, 2×3 and 1×2 under a window of 3."""
    agree(agreement_of("torchvision", version, (8, 12), SMALL, features, always_partition=True))


@FEATURES
def test_pretrained_windows(agree, features):
    sizes = SMALL | {"pretrained_window_sizes": (6, 6, 0)}
    agree(agreement_of("timm", 2, (24, 36), sizes, features))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("library", LIBRARIES)
def test_swin_tiny(agree, library, version):
    """The whole Swin-T on one image: 224×224 in windows of 7, version 2 256×256 in windows of 8."""
    size, window = ((224, 224), 7) if version == 1 else ((256, 256), 8)
    agree(agreement_of(library, version, size, TINY | {"window_size": window}, False, batch=1))
