"""The presets of SwinTransformer are timm's: what its functions build, and the size of its images."""

import inspect

import pytest

from numpy_ref.swin_presets import PRESETS

from ..both import TWINS
from ._import import original

MODULES = {
    "swin": (1, original("timm.models.swin_transformer"), "_create_swin_transformer"),
    "swinv2": (2, original("timm.models.swin_transformer_v2"), "_create_swin_transformer_v2"),
}


@TWINS
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_timms(twin, name, monkeypatch):
    """timm's function is called with its last step replaced by one that keeps the arguments."""
    version, module, build = MODULES[name.split("_")[0]]
    theirs, ours = {}, twin.swin_presets.PRESETS[name]
    monkeypatch.setattr(module, build, lambda name, pretrained, **given: theirs.update(given))
    getattr(module, name)()
    theirs |= {"version": version, "img_size": module.default_cfgs[name].default.input_size[1]}
    defaults = inspect.signature(twin.SwinTransformer).parameters
    for argument in ours.keys() | theirs.keys():
        default = defaults[argument].default
        assert ours.get(argument, default) == theirs.get(argument, default), argument
