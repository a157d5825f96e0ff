"""Swin blocks and whole Swins of timm, torchvision and transformers, with the same weights as ours."""

import pytest
import torch

from parity_tests.third_party._import import original
from parity_tests.third_party._swin_names import from_timm, from_torchvision, from_transformers

from . import LIBRARIES
from ._contestant import CannotRunError

TO_OURS = {"timm": from_timm, "torchvision": from_torchvision, "transformers": from_transformers}
FIRST_BLOCK = {
    "timm": "layers.0.blocks.0.",
    "torchvision": "features.1.0.",
    "transformers": "swin.encoder.layers.0.blocks.0.",
}


def block_of(name, work, weights):
    """Return (module, call, function from its parameters' tensors to ours, both by name)."""
    library, kind, compiled = LIBRARIES[name]
    module = _BLOCKS[library](work, kind)
    theirs, ours = FIRST_BLOCK[library], FIRST_BLOCK["timm"]

    def to_ours(p):
        state = TO_OURS[library]({theirs + key: a for key, a in p.items()})
        return {key.removeprefix(ours): a for key, a in state.items()}

    load(module, to_ours, weights)
    called = torch.compile(module, dynamic=False) if compiled else module
    if library != "transformers":
        return module, called, to_ours
    size = (work.size, work.size)
    return module, lambda x: called(x.flatten(1, 2), size)[0].unflatten(1, size), to_ours


def model_of(name, work, weights):
    """Return (module, images -> logits, function from its parameters' tensors to ours)."""
    library, kind, compiled = LIBRARIES[name]
    module = _MODELS[library](work.model, kind)
    load(module, TO_OURS[library], weights)
    called = torch.compile(module, dynamic=False) if compiled else module
    logits = (lambda x: called(x).logits) if library == "transformers" else called
    return module, logits, TO_OURS[library]


def load(module, to_ours, weights):
    """Set the module's parameters so that to_ours(parameters) is `weights`.

    to_ours only renames and concatenates, so it can be run on the parameters' places in one flat vector.
    """
    places, end = {}, 0
    for name, p in module.named_parameters():
        places[name] = torch.arange(end, end + p.numel()).reshape(p.shape)
        end += p.numel()
    flat = torch.empty(end)
    for name, place in to_ours(places).items():
        flat[place] = torch.from_numpy(weights[name])
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(flat[places[name]])


def import_of(name):
    """Return the module of a library; raise CannotRunError where it is missing."""
    try:
        return original(name)
    except pytest.skip.Exception as error:  # `original` skips the test where the package is missing
        raise CannotRunError(str(error)) from error


def _timm_block(work, kind):
    swin, sizes = import_of("timm.models.swin_transformer"), (work.size, work.size)
    shift = {"window_size": work.window, "shift_size": work.shift}
    return _with_attention(swin.SwinTransformerBlock(work.width, sizes, work.heads, **shift), kind)


def _timm_model(arguments, kind):
    swin = import_of("timm.models.swin_transformer")
    return _with_attention(swin.SwinTransformer(**arguments, drop_path_rate=0.0), kind)


def _with_attention(module, kind):
    """Let timm's attention use PyTorch's fused kernel ("sdpa") or not."""
    for part in module.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = kind == "sdpa"
    return module


def _torchvision_block(work, kind):
    swin = import_of("torchvision.models.swin_transformer")
    return swin.SwinTransformerBlock(work.width, work.heads, [work.window] * 2, [work.shift] * 2)


def _torchvision_model(arguments, kind):
    swin = import_of("torchvision.models.swin_transformer")
    sizes = dict(arguments)
    del sizes["img_size"]
    for name in ("patch_size", "window_size"):
        sizes[name] = [sizes[name]] * 2
    return swin.SwinTransformer(**sizes, stochastic_depth_prob=0.0)


def _transformers_block(work, kind):
    swin = import_of("transformers.models.swin.modeling_swin")
    config = swin.SwinConfig(window_size=work.window)
    config._attn_implementation = kind
    return swin.SwinLayer(config, work.width, (work.size, work.size), work.heads, shift_size=work.shift)


def _transformers_model(arguments, kind):
    swin = import_of("transformers.models.swin.modeling_swin")
    sizes = dict(arguments)
    sizes |= {"image_size": sizes.pop("img_size"), "num_labels": sizes.pop("num_classes")}
    config = swin.SwinConfig(**sizes, drop_path_rate=0.0, attn_implementation=kind)
    return swin.SwinForImageClassification(config)


_BLOCKS = {
    "timm": _timm_block,
    "torchvision": _torchvision_block,
    "transformers": _transformers_block,
}
_MODELS = {
    "timm": _timm_model,
    "torchvision": _torchvision_model,
    "transformers": _transformers_model,
}
