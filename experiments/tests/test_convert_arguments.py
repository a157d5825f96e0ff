"""What the converter tells of a model from its tensors, and the buffers it makes."""

import numpy as np
import pytest
import torch
from checkpoints import SIZES, checkpoint

from experiments.convert import convert, convert_tensors, windows
from experiments.convert.model import SLACK
from experiments.convert.reading import read
from experiments.convert.tensors import Tensor, like, numbers
from numpy_ref import SwinTransformer, from_pretrained

SMALL = {"patch_size": 2, "embed_dim": 8, "depths": (1, 1), "num_heads": (2, 4), "num_classes": 3}


def arguments(state, to="here", **options):
    return convert_tensors(state, to, options=options, with_arguments=True)[1].arguments


@pytest.mark.parametrize("form", ["timm", "torchvision", "transformers", "microsoft"])
def test_arguments_of_swin(form):
    found = arguments(checkpoint("swin", form), img_size=(16, 16))
    assert found.architecture == "SwinTransformer"
    assert found.values == {
        "version": 1,
        "img_size": [16, 16],
        "patch_size": [2, 2],
        "in_chans": 3,
        "num_classes": 5,
        "embed_dim": 8,
        "depths": [2, 1],
        "num_heads": [2, 4],
        "window_size": [4, 4],
        "always_partition": False,
        "mlp_ratio": 3.0,
        "qkv_bias": True,
        "norm_eps": 1e-5,
    }
    assert found.assumed == ("norm_eps 1e-05",)


def test_a_mask_tells_the_size_of_the_images():
    """Without one it is assumed: the last stage has one window, here 4 * 2 * 2 pixels."""
    found = arguments(checkpoint("swin", "microsoft"))
    assert (found.values["img_size"], found.assumed) == ([16, 16], ("norm_eps 1e-05",))
    found = arguments(checkpoint("swin", "timm"))
    assert found.values["img_size"] == [16, 16]
    assert found.assumed[0] == "img_size 16x16, one window in the last stage"


def test_a_window_that_no_square_has():
    state = checkpoint("swin", "timm")
    tables = {
        n: Tensor("F32", np.ones((5 * 9, t.shape[1]), np.float32))
        for n, t in state.items()
        if "table" in n
    }
    with pytest.raises(ValueError, match=r"the table of layers\.0 has 45 rows, expected \(2w - 1\)"):
        arguments(state | tables)
    found = arguments(state | tables, window_size=(3, 5))
    assert found.values["window_size"] == [3, 5]
    assert found.values["img_size"] == [12, 20]


def test_a_smaller_window_in_the_last_stage():
    """The map is as small, which tells the size of the images; torchvision pads the map instead."""
    state = checkpoint("swin", "timm")
    last = "layers.1.blocks.0.attn.relative_position_bias_table"
    smaller = state | {last: Tensor("F32", np.ones((9, 4), np.float32))}
    found = arguments(smaller)
    assert (found.values["img_size"], found.values["window_size"]) == ([8, 8], [4, 4])
    assert found.values["always_partition"] is False
    assert not found.assumed[0].startswith("img_size")
    assert arguments(state, img_size=(8, 8)).values["always_partition"] is True
    with pytest.raises(ValueError, match=r"torchvision has one window in all stages, layers\.1 has 2x2"):
        convert_tensors(smaller, "torchvision")


def test_coordinates_tell_the_windows_of_swin_v2():
    """The window they were made for, and that of the pretraining, of each stage."""
    sizes, state = SIZES["swinv2"], checkpoint("swinv2", "microsoft")
    for name in [n for n in state if n.endswith("coords_table")]:
        pretrained = (6, 6) if name.startswith("layers.0") else (4, 4)
        state[name] = like("F32", windows.log_coordinates((4, 4), pretrained))
    found = arguments(state)
    assert found.values["window_size"] == [4, 4]
    assert found.values["pretrained_window_sizes"] == [[6, 6], 0]
    assert not any("window" in line for line in found.assumed)
    back, _ = convert_tensors(
        convert_tensors(state, "torchvision")[0], "microsoft", options=sizes["arguments"]
    )
    assert all(back[name].array.tobytes() == state[name].array.tobytes() for name in state)


@pytest.mark.parametrize("always", [False, True])
def test_a_small_map_of_swin_v2_has_the_window_that_its_config_says(tmp_path, always):
    """No tensor here tells it: at 8 pixels the second stage has a map of 2x2, the window is 4x4."""
    model = SwinTransformer(2, img_size=8, window_size=4, always_partition=always, **SMALL)
    model.save_pretrained(tmp_path / "here")
    convert(tmp_path / "here", tmp_path / "out.safetensors", "microsoft")
    state, _ = read(tmp_path / "out.safetensors")
    index = state["layers.1.blocks.0.attn.relative_position_index"]
    assert index.shape == ((16, 16) if always else (4, 4))
    convert(tmp_path / "out.safetensors", tmp_path / "back", "here", img_size=(8, 8))
    assert from_pretrained(tmp_path / "back").arguments["always_partition"] is always


def test_a_small_map_of_swin_v2_is_one_window_unless_something_tells():
    state = checkpoint("swinv2", "timm")
    assert arguments(state, window_size=(4, 4), img_size=(8, 8)).values["always_partition"] is False


@pytest.mark.parametrize("window", range(2, 25))
def test_the_window_of_pretraining_is_read_off(window):
    for pretrained in range(2, 25):
        table = windows.log_coordinates((window, window), (pretrained, window))
        for dtype in (np.float32, np.float16):
            assert windows.pretrained_of(table.astype(dtype), (window, window)) == (pretrained, window)


def test_arguments_of_vits():
    beit = arguments(checkpoint("beit", "transformers")).values
    assert (beit["img_size"], beit["position"], beit["k_bias"]) == ([12, 12], "relative", False)
    assert (beit["global_pool"], beit["fc_norm"], beit["use_abs_pos_emb"]) == ("avg", True, True)
    token = arguments(checkpoint("data2vec", "transformers")).values
    assert (token["global_pool"], token["position"]) == ("token", "shared_relative")
    relpos = arguments(checkpoint("relpos", "timm"), img_size=(20, 12)).values
    assert (relpos["img_size"], relpos["class_token"]) == ([20, 12], False)
    assert relpos["rpb_kwargs"] == {"bias_type": "rel_pos_mlp", "hidden_features": 6, "mode": "cr"}


@pytest.mark.parametrize(("code", "dtype"), [("BF16", torch.bfloat16), ("F16", torch.float16)])
def test_a_made_buffer_is_rounded_as_torch_rounds(code, dtype):
    array = np.random.default_rng(0).standard_normal(10_000, np.float32)
    expected = torch.tensor(array).to(dtype).double().numpy()
    np.testing.assert_array_equal(numbers(like(code, array)), expected)


def test_the_coordinates_are_those_that_torch_computes():
    """As the originals compute them. The last bits of a logarithm are not the same everywhere."""
    for window, of in ((7, 7), (8, 8), (16, 16), (16, 12), (24, 12), (24, 24)):
        axis = torch.arange(-(window - 1), window, dtype=torch.float32)
        table = torch.stack(torch.meshgrid([axis, axis], indexing="ij"), -1)[None] / (of - 1) * 8
        table = torch.sign(table) * torch.log2(torch.abs(table) + 1.0) / np.log2(8)
        made = windows.log_coordinates((window,) * 2, (of,) * 2)
        np.testing.assert_array_max_ulp(made, table.numpy(), SLACK)
