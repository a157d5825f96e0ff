"""What timm and transformers write beside a checkpoint arrives in both twins: of images and classes."""

import numpy_ref
import torch_impl
from experiments.convert import convert

from ._import import original

timm = original("timm")
hub = original("timm.models._hub")
transformers = original("transformers")
processor = original("transformers.models.vit.image_processing_pil_vit")

MEAN, STD = [0.48, 0.45, 0.41], [0.23, 0.22, 0.21]
NAMES = ["ant", "bee", "cat"]
SMALL = {"patch_size": 2, "embed_dim": 8, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4}


def assert_told(folder, **resizing):
    about = {"image_size": [16, 16], "in_chans": 3, "mean": MEAN, "std": STD} | resizing
    for twin in (numpy_ref, torch_impl):
        model = twin.from_pretrained(folder)
        assert model.classes == NAMES
        assert model.preprocessing == about


def test_timm(tmp_path):
    model = timm.models.swin_transformer.SwinTransformer(img_size=16, num_classes=3, **SMALL)
    about = {"architecture": "swin_small", "input_size": (3, 16, 16), "crop_pct": 0.9, "num_classes": 3}
    moments = {"mean": tuple(MEAN), "std": tuple(STD)}
    model.pretrained_cfg = model.default_cfg = about | moments | {"interpolation": "bicubic"}
    hub.save_for_hf(model, tmp_path / "timm", model_config={"label_names": NAMES})
    convert(tmp_path / "timm", tmp_path / "here", "here")
    assert_told(tmp_path / "here", crop_pct=0.9, interpolation="bicubic")


def test_transformers(tmp_path):
    config = transformers.SwinConfig(image_size=16, id2label=dict(enumerate(NAMES)), **SMALL)
    transformers.SwinForImageClassification(config).save_pretrained(tmp_path / "theirs")
    processor.ViTImageProcessorPil(image_mean=MEAN, image_std=STD).save_pretrained(tmp_path / "theirs")
    convert(tmp_path / "theirs", tmp_path / "here", "here")
    assert_told(tmp_path / "here", interpolation="bilinear")
