"""The config.json beside a checkpoint tells the converter what the weights do not."""

import json

import pytest
from checkpoints import finite
from convert_files import safetensors

from experiments.convert import convert


def test_the_config_in_a_folder_tells_what_the_weights_do_not(tmp_path, unconverted, capsys):
    """Of this project, of transformers and of timm; what the user says comes first."""
    state, folder = finite("swinv2", "timm"), tmp_path / "swinv2"
    folder.mkdir()
    source = safetensors(folder / "model.safetensors", state)
    config = {"model_type": "swinv2", "image_size": 16, "window_size": 4, "layer_norm_eps": 1e-3}
    config["pretrained_window_sizes"] = [6, 0]
    (folder / "config.json").write_text(json.dumps(config))
    assert "give window_size" in unconverted(source, to="torchvision")
    ours = convert(folder, tmp_path / "model", "here")
    values = ours.arguments.values
    assert (values["img_size"], values["window_size"], values["norm_eps"]) == ([16, 16], [4, 4], 1e-3)
    assert (values["pretrained_window_sizes"], ours.assumed) == ([[6, 6], 0], ())
    again = convert(tmp_path / "model", tmp_path / "a.safetensors", "microsoft")
    assert again.arguments.values == values
    (folder / "config.json").write_text('{"pretrained_cfg": {"input_size": [3, 16, 20]}}')
    report = convert(folder, tmp_path / "b.safetensors", "torchvision", window_size=4)
    assert report.arguments.values["img_size"] == [16, 20]
    assert report.remarks == ["img_size from config.json"]
    size = {"window_size": (4, 4), "img_size": (32, 32)}
    report = convert(folder, tmp_path / "c.safetensors", "torchvision", **size)
    assert report.arguments.values["img_size"] == [32, 32]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{", "is no JSON"),
        ("[]", "is a list, expected an object"),
        ('{"model_type": "a", "image_size": "big"}', "img_size is 'big', expected one or two positive"),
        (
            '{"arguments": {"window_size": [7, 0]}}',
            "window_size is [7, 0], expected one or two positive",
        ),
        ('{"arguments": {"norm_eps": -1}}', "norm_eps is -1, expected a number between 0 and 1"),
        ('{"arguments": {"always_partition": 1}}', "always_partition is 1, expected True or False"),
        ('{"arguments": {"pretrained_window_sizes": [6]}}', "is [[6, 6]], expected one for each of 2"),
    ],
)
def test_a_config_that_is_none(tmp_path, unconverted, config, expected):
    folder = tmp_path / "swinv2"
    folder.mkdir()
    safetensors(folder / "model.safetensors", finite("swinv2", "timm"))
    (folder / "config.json").write_text(config)
    assert expected in unconverted(folder, "--window-size", "4", to="torchvision")
