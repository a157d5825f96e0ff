"""Mean, standard deviation and classes in the files beside a checkpoint, in the folder for here."""

import json

import numpy as np
import pytest
from checkpoints import finite
from small_runs import refused

import numpy_ref
import torch_impl
from experiments.convert import convert
from experiments.convert.__main__ import main
from experiments.convert.packing import pack
from parity_tests import budget

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NAMES = ["ant", "bee", "cat", "dog", "eel"]  # the checkpoints have five classes
BY_NUMBER = {str(n): name for n, name in enumerate(NAMES)}
TRAINED = {"input_size": [3, 16, 16], "mean": MEAN, "std": STD}
OF_TRANSFORMERS = {"model_type": "swin", "id2label": BY_NUMBER}
PROCESSOR = {"image_mean": MEAN, "image_std": STD, "rescale_factor": 0.00392156862745098}


@pytest.fixture
def folder(tmp_path):
    """Return folder(config, processor): a folder with a Swin's weights and these files."""

    def make(config, processor=None):
        made = tmp_path / "source"
        made.mkdir()
        form = "transformers" if processor or "model_type" in config else "timm"
        (made / "model.safetensors").write_bytes(pack(finite("swin", form)))
        (made / "config.json").write_text(json.dumps(config))
        if processor:
            (made / "preprocessor_config.json").write_text(json.dumps(processor))
        return made

    return make


@pytest.mark.parametrize(
    ("config", "processor", "file"),
    [
        ({"pretrained_cfg": TRAINED, "label_names": NAMES}, None, "config.json"),
        ({"pretrained_cfg": TRAINED | {"label_names": NAMES}}, None, "config.json"),
        ({"pretrained_cfg": TRAINED, "label_names": BY_NUMBER}, None, "config.json"),
        (TRAINED | {"label_names": NAMES}, None, "config.json"),
        (OF_TRANSFORMERS, PROCESSOR, "preprocessor_config.json"),
        (OF_TRANSFORMERS, {"image_mean": MEAN, "image_std": STD}, "preprocessor_config.json"),
    ],
    ids=["timm", "in pretrained_cfg", "by number", "timm's old form", "transformers", "its old form"],
)
def test_they_are_in_the_folder_and_reported(folder, tmp_path, config, processor, file):
    report = convert(folder(config, processor), tmp_path / "out", "here", img_size=(16, 16))
    assert f"mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225 from {file}" in report.remarks
    assert "5 classes from config.json, ant first" in report.remarks
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    for twin in (numpy_ref, torch_impl):
        model = twin.from_pretrained(tmp_path / "out")
        assert model.preprocessing == {"image_size": [16, 16], "in_chans": 3, "mean": MEAN, "std": STD}
        assert model.classes == NAMES
        assert set(model.classify(pixels).names) <= set(NAMES)


@pytest.mark.parametrize(
    ("processor", "formula"),
    [
        ({"rescale_factor": 1 / 255}, lambda x: (x / 255 - 0.25) / 0.5),
        ({"rescale_factor": 1 / 127.5}, lambda x: (x / 127.5 - 0.25) / 0.5),
        ({"do_rescale": False}, lambda x: (x - 0.25) / 0.5),
        ({"do_normalize": False}, lambda x: x / 255),
        ({"do_normalize": False, "rescale_factor": 0.01}, lambda x: x * 0.01),
    ],
)
def test_transformers_way_of_rescaling_is_in_the_mean_and_std(folder, tmp_path, processor, formula):
    moments = {"image_mean": [0.25] * 3, "image_std": [0.5] * 3}
    convert(folder(OF_TRANSFORMERS, moments | processor), tmp_path / "out", "here")
    found = json.loads((tmp_path / "out" / "config.json").read_text())["preprocessing"]
    pixels = np.arange(256.0)
    ours = (pixels / 255 - found["mean"][1]) / found["std"][1]
    assert budget.float64("standardised", formula(pixels), ours).ok


@pytest.mark.parametrize(
    ("config", "kept", "not_kept"),
    [
        ({"crop_pct": 0.9, "crop_mode": "center"}, {"crop_pct": 0.9}, None),
        (
            {"crop_pct": 1.0, "interpolation": "bicubic"},
            {"crop_pct": 1.0, "interpolation": "bicubic"},
            None,
        ),
        ({"interpolation": "bilinear", "crop_mode": None}, {"interpolation": "bilinear"}, None),
        ({"crop_pct": 0.9, "crop_mode": "squash"}, {}, "crop_pct 0.9, crop_mode squash"),
        ({"crop_pct": 0.9, "interpolation": "lanczos"}, {"crop_pct": 0.9}, "interpolation lanczos"),
        ({"crop_pct": 1.2}, {}, "crop_pct 1.2"),
    ],
)
def test_how_timm_resizes_is_kept(folder, tmp_path, config, kept, not_kept):
    source = folder({"pretrained_cfg": TRAINED | config})
    report = convert(source, tmp_path / "out", "here")
    assert_resizing(report, tmp_path / "out", kept, not_kept, "config.json")
    report = convert(source, tmp_path / "out.safetensors", "torchvision")
    assert report.remarks[-1] == "mean, std and classes stay behind: a file has no place for them"


SIDE, EDGE, SQUARE = {"height": 224, "width": 224}, {"shortest_edge": 256}, {"height": 256, "width": 256}


@pytest.mark.parametrize(
    ("processor", "kept", "not_kept"),
    [
        ({"size": SIDE, "do_resize": True, "resample": 3}, {"interpolation": "bicubic"}, None),
        ({"size": 224, "do_center_crop": False, "crop_size": 224}, {}, None),
        ({"size": EDGE, "do_center_crop": True, "crop_size": SIDE}, {"crop_pct": 0.875}, None),
        ({"size": EDGE, "do_center_crop": True, "crop_size": 224}, {"crop_pct": 0.875}, None),
        (
            {"size": SQUARE, "do_center_crop": True, "crop_size": SIDE, "resample": 2},
            {"interpolation": "bilinear"},
            f"size {SQUARE}, crop_size {SIDE}, do_center_crop True",
        ),
        ({"size": EDGE}, {}, f"size {EDGE}"),
        ({"size": EDGE, "crop_pct": 0.875}, {}, f"size {EDGE}, crop_pct 0.875"),
        ({"size": SIDE, "resample": 0}, {}, "resample 0"),
        ({"size": SIDE, "resample": 3, "do_resize": False}, {}, "do_resize False"),
    ],
)
def test_how_transformers_resizes_is_kept(folder, tmp_path, processor, kept, not_kept):
    report = convert(folder(OF_TRANSFORMERS, PROCESSOR | processor), tmp_path / "out", "here")
    assert_resizing(report, tmp_path / "out", kept, not_kept, "preprocessor_config.json")


def assert_resizing(report, out, kept, not_kept, file):
    for twin in (numpy_ref, torch_impl):
        about = twin.from_pretrained(out).preprocessing
        assert {name: about[name] for name in about if name in ("crop_pct", "interpolation")} == kept
    listed = ", ".join(f"{name} {value}" for name, value in kept.items())
    assert [f"{listed} from {file}"] * bool(kept) == [
        line for line in report.remarks if line.startswith(("crop_pct", "interpolation"))
    ]
    lines = [line for line in report.remarks if line.startswith("not kept")]
    assert lines == ([f"not kept of {file}: {not_kept}; prepare images that way"] if not_kept else [])


def test_without_a_mean_there_is_no_place_for_them(folder, tmp_path):
    source = folder({"pretrained_cfg": {"input_size": [3, 16, 16], "crop_pct": 0.9}})
    report = convert(source, tmp_path / "out", "here")
    assert report.remarks[-1] == "not kept of config.json: crop_pct 0.9; prepare images that way"
    assert numpy_ref.from_pretrained(tmp_path / "out").preprocessing is None


@pytest.mark.parametrize(
    "config",
    [
        {"pretrained_cfg": {"input_size": [3, 16, 16]}},
        {"pretrained_cfg": {"mean": MEAN}},
        {"model_type": "swin", "image_size": 16},
        {"model_type": "swin", "id2label": {str(n): f"LABEL_{n}" for n in range(5)}},
    ],
    ids=["nothing", "mean only", "no processor", "no names"],
)
def test_what_is_not_told_is_not_made_up(folder, tmp_path, config):
    report = convert(folder(config), tmp_path / "out", "here", img_size=(16, 16))
    found = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (found["preprocessing"], found["classes"]) == (None, None)
    assert not any("classes" in line or "mean" in line for line in report.remarks)


def test_a_file_alone_has_none(folder, tmp_path):
    """Its folder may hold others."""
    source = folder({"pretrained_cfg": TRAINED, "label_names": NAMES}) / "model.safetensors"
    convert(source, tmp_path / "out", "here", img_size=(16, 16))
    assert json.loads((tmp_path / "out" / "config.json").read_text())["preprocessing"] is None


@pytest.mark.parametrize(
    ("config", "processor", "message"),
    [
        ({"pretrained_cfg": TRAINED | {"mean": MEAN[:2]}}, None, "config.json: preprocessing.mean is"),
        ({"pretrained_cfg": TRAINED | {"std": [0, 1, 1]}}, None, "config.json: preprocessing.std is 0"),
        ({"pretrained_cfg": TRAINED | {"std": "small"}}, None, "config.json: preprocessing.std is"),
        ({"label_names": NAMES[:2]}, None, "config.json: classes has 2 names, the model has 5"),
        ({"label_names": [1, 2, 3, 4, 5]}, None, "config.json: label_names is [1, 2, 3, 4, 5]"),
        (
            {"label_names": {"1": "ant"}},
            None,
            "label_names is {'1': 'ant'}, expected a name",
        ),
        (OF_TRANSFORMERS | {"id2label": 5}, PROCESSOR, "config.json: id2label is 5, expected a name"),
        (
            OF_TRANSFORMERS,
            PROCESSOR | {"rescale_factor": 0},
            "processor_config.json: rescale_factor",
        ),
        (
            OF_TRANSFORMERS,
            PROCESSOR | {"image_mean": 0.5},
            "processor_config.json: preprocessing.mean",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(
    folder, tmp_path, config, processor, message, capsys
):
    source, out = folder(config, processor), tmp_path / "out"
    line = refused(capsys, main, [str(source), str(out), "--to", "here", "--image-size", "16"])
    assert message in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]
