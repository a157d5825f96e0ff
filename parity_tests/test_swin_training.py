"""Training a Swin Transformer: twenty float64 steps agree in both twins; which parameters decay."""

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget, report
from .both import TWINS
from .test_training import STEPS

# 16x10 images in patches of 2: maps of 8x5 and 4x3 tokens, so an odd map is merged.
SIZE = (16, 10)
DROPS = {"drop_rate": 0.1, "proj_drop_rate": 0.1, "attn_drop_rate": 0.1, "drop_path_rate": 0.3}
MODELS = {
    "shifted and padded": {"version": 1, "window_size": (3, 2), **DROPS},
    "maps smaller than the window": {"version": 1, "window_size": 7, "qkv_bias": False},
    "version 2": {"version": 2, "window_size": 3, "rpb_kwargs": {"hidden_features": 16}, **DROPS},
    "version 2, whole maps": {"version": 2, "window_size": 8, "rpb_kwargs": {"bias_type": "2d"}},
    "without a bias": {"version": 1, "window_size": 4, "use_relative_position": False},
}


def swin_of(twin, dtype=None, **options):
    arguments = {"img_size": SIZE, "patch_size": 2, "in_chans": 2, "num_classes": 5, "embed_dim": 8}
    arguments |= {"depths": (2, 2), "num_heads": (2, 4), "drop_path_rate": 0.0, "dtype": dtype}
    return twin.SwinTransformer(**arguments | options, generator=np.random.default_rng(3))


def trainer_of(twin, dtype, options, device="cpu"):
    model = swin_of(twin, dtype, **options)
    return twin.Trainer(
        model, 3e-3, STEPS, warmup_steps=4, clip_norm=0.5, label_smoothing=0.1, device=device
    )


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_twenty_steps(options):
    ours = trainer_of(numpy_ref, np.float64, options)
    theirs = trainer_of(torch_impl, torch.float64, options, report.device())
    rng = np.random.default_rng(4)
    for _ in range(STEPS):
        images, labels = rng.standard_normal((8, 2, *SIZE)), rng.integers(0, 5, 8)
        a, b = ours.train_step(images, labels), theirs.train_step(images, labels)
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
        assert a.correct == b.correct
    (arrays, progress), (other_arrays, other_progress) = ours.state_dict(), theirs.state_dict()
    assert arrays.keys() == other_arrays.keys()
    assert progress == other_progress
    for name, array in arrays.items():
        row = budget.float64(name, array, other_arrays[name], budget.TRAINING_WEIGHTS)
        assert row.ok, row


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", ["shifted and padded", "version 2"])
def test_bits_do_not_depend_on_the_threads(name):
    """Two float32 steps with all dropouts, from the pixels to the optimizer's moments."""
    rng, found = np.random.default_rng(4), []
    batches = [(rng.standard_normal((13, 2, *SIZE)), rng.integers(0, 5, 13)) for _ in range(2)]
    for threads in (1, 2, 5):
        numpy_ref.set_num_threads(threads)
        trainer = trainer_of(numpy_ref, np.float32, MODELS[name])
        for images, labels in batches:
            trainer.train_step(images, labels)
        found.append({key: a.tobytes() for key, a in trainer.state_dict()[0].items()})
    assert found[0] == found[1] == found[2]


@TWINS
@pytest.mark.parametrize("version", [1, 2])
def test_parameter_groups(twin, version):
    """All weight matrices decay and nothing else; version 1's tables, and only they, learn faster."""
    named = dict(swin_of(twin, version=version).named_parameters())
    groups = twin.parameter_groups(named.items(), 0.1, 7.0)
    decayed, plain, tables = (set(group["param_names"]) for group in groups)
    blocks = [f"layers.{stage}.blocks.{n}" for stage in range(2) for n in range(2)]
    matrices = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    expected = {f"{block}.{matrix}.weight" for block in blocks for matrix in matrices}
    expected |= {"patch_embed.proj.weight", "layers.1.downsample.reduction.weight", "head.fc.weight"}
    assert decayed == expected
    of_table = {f"{block}.attn.rel_pos.relative_position_bias_table" for block in blocks}
    assert tables == (of_table if version == 1 else set())
    if version == 2:
        of_v2 = (
            "logit_scale",
            "q_bias",
            "v_bias",
            "rel_pos.cpb_mlp.0.weight",
            "rel_pos.cpb_mlp.2.weight",
        )
        assert {f"{block}.attn.{name}" for block in blocks for name in of_v2} <= plain
    assert len(named) == sum(len(group["params"]) for group in groups)


@TWINS
@pytest.mark.parametrize("options", [{"num_classes": 0}, {"features_only": True}], ids=str)
def test_a_model_without_classes_is_not_trained(twin, options):
    with pytest.raises(ValueError, match=r"^model.num_classes is 0, expected"):
        twin.Trainer(swin_of(twin, **options), 1e-3, 10)
