"""`--verify`: the user's own file, compared in the libraries that are installed."""

from dataclasses import replace

import pytest
import torch

from experiments.convert import convert
from experiments.convert.__main__ import main
from experiments.convert.families import FAMILIES
from experiments.convert.model import read as whole_of
from experiments.convert.reading import read
from experiments.convert.recognise import recognise
from experiments.convert.state import NO_OPTIONS
from experiments.convert.verify import loaded, state_of, verify

from ._import import original

timm = original("timm")
original("transformers")
SMALL = {"img_size": 32, "patch_size": 2, "embed_dim": 8, "num_classes": 3}
SWIN = SMALL | {"depths": (2, 1), "num_heads": (2, 4), "window_size": 4}
SIZES = ["--image-size", "32", "--window-size", "4"]


def saved(path, model):
    """Save random weights, large enough that every part of the model counts."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) / parameter[0].numel() ** 0.5
    torch.save({"model": model.state_dict()}, path)
    return path


@pytest.fixture
def swinv2(tmp_path):
    model = timm.models.swin_transformer_v2.SwinTransformerV2(**SWIN, pretrained_window_sizes=(0, 0))
    return saved(tmp_path / "swinv2.pth", model)


def opened(path):
    """Return what verify needs of a file."""
    tensors, _ = read(path)
    found = recognise(tensors, FAMILIES, "here")
    whole = whole_of(found, tensors)
    options = NO_OPTIONS | {"img_size": (32, 32), "window_size": (4, 4)}
    return found, whole, found.family.arguments(whole, options)


def test_both_sides_and_here(swinv2, tmp_path, capsys):
    assert (
        main([str(swinv2), str(tmp_path / "a.safetensors"), "--to", "torchvision", *SIZES, "--verify"])
        == 0
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("verified")]
    timm_version = timm.__version__
    assert lines[0].startswith(f"verified timm {timm_version} and torchvision 0.")
    assert lines[1].startswith(f"verified timm {timm_version} and here (torch) agree, ")
    assert len(lines) == 2
    main([str(swinv2), str(tmp_path / "b.safetensors"), "--to", "microsoft", *SIZES, "--verify"])
    assert "verified microsoft is not compared: no library has its model" in capsys.readouterr().out


def test_windows_of_pretraining(tmp_path):
    """The coordinates tell them. timm's model is built with them, torchvision's loads the table."""
    model = timm.models.swin_transformer_v2.SwinTransformerV2(**SWIN, pretrained_window_sizes=(3, 2))
    path = saved(tmp_path / "timm.pth", model)
    state = torch.load(path)["model"] | {n: b for n, b in model.named_buffers() if "coords" in n}
    torch.save(state, path)
    report = convert(path, tmp_path / "a.safetensors", "torchvision", img_size=(32, 32), verify=True)
    assert report.arguments.values["pretrained_window_sizes"] == [[3, 3], [2, 2]]
    assert len(report.verified) == 2


def test_a_model_that_computes_something_else(swinv2):
    """The norms' eps is not in a file: with another one the model here is not the library's."""
    found, whole, arguments = opened(swinv2)
    assert len(verify(found, whole, "here", arguments)) == 1
    wrong = replace(arguments, values=arguments.values | {"norm_eps": 1e-3})
    with pytest.raises(ValueError, match=r"timm .* and here \(torch\) compute something else: .* times"):
        verify(found, whole, "here", wrong)


@pytest.mark.parametrize("form", ["timm", "torchvision", "transformers", "here"])
def test_a_state_is_loaded_strictly(swinv2, form):
    """A model with one more block does not load it, and one with one block less neither."""
    found, whole, arguments = opened(swinv2)
    state = state_of(found, whole, form, arguments)
    loaded(form, found.family.models[form](arguments.values), state)
    for depths in ([2, 2], [1, 1]):
        other = found.family.models[form](arguments.values | {"depths": depths})
        with pytest.raises(ValueError, match=f"{form} does not load it: "):
            loaded(form, other, state)


def test_a_library_that_is_not_installed(swinv2, tmp_path, monkeypatch, capsys):
    def missing(values):
        raise ImportError("No module named 'timm'")

    models = next(family.models for family in FAMILIES if family.name == "swinv2")
    monkeypatch.setitem(models, "timm", missing)
    out = tmp_path / "a.safetensors"
    with pytest.raises(SystemExit):
        main([str(swinv2), str(out), "--to", "here", *SIZES, "--verify"])
    said = capsys.readouterr().err
    assert "cannot be verified: timm is not compared: it cannot be imported (No module" in said
    assert not out.exists()
    assert main([str(swinv2), str(out), "--to", "transformers", *SIZES, "--verify"]) == 0
    assert "verified timm is not compared" in capsys.readouterr().out


def chained():
    """What transformers raises where torchvision cannot be imported."""
    try:
        raise RuntimeError("operator torchvision::nms does not exist")
    except RuntimeError as error:
        raise ModuleNotFoundError("Could not import module 'SwinModel'") from error


def plain():
    raise RuntimeError("operator torchvision::nms does not exist")


@pytest.mark.parametrize("broken", [plain, chained])
@pytest.mark.parametrize(("cuda", "build"), [(None, "cpu"), ("12.8", "cu128")])
def test_a_torchvision_for_another_torch_is_named_with_what_to_install(
    swinv2, tmp_path, monkeypatch, capsys, broken, cuda, build
):
    models = next(family.models for family in FAMILIES if family.name == "swinv2")
    monkeypatch.setitem(models, "timm", lambda values: broken())
    monkeypatch.setattr(torch.version, "cuda", cuda)
    with pytest.raises(SystemExit):
        main([str(swinv2), str(tmp_path / "a.safetensors"), "--to", "here", *SIZES, "--verify"])
    said = capsys.readouterr().err
    assert f"is not built for torch {torch.__version__}: pip install --force-reinstall" in said
    assert said.endswith(f"--index-url https://download.pytorch.org/whl/{build})\n")
