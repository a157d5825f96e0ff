"""Twenty float64 training steps from the same weights on the same batches agree in both twins."""

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget, report

STEPS = 20
MODELS = {
    "2d": {"global_pool": "avg"},
    "shared_class_token": {"position": "shared_relative"},
    "cosine_log_cpb": {
        "rpb_kwargs": {"bias_type": "log_cpb", "hidden_features": 16},
        "cosine_attention": True,
    },
    "t5_dropout": {
        "rpb_kwargs": {"bias_type": "t5"},
        "drop_rate": 0.1,
        "attn_drop_rate": 0.1,
        "drop_path_rate": 0.2,
    },
    "absolute": {"position": "absolute"},
    "irpe_qkv": {"rpb_kwargs": {"bias_type": "irpe", "rpe_on": "qkv"}},
}
NEEDS = {
    "custom": {"index": [[abs(i - j) % 5 for j in range(16)] for i in range(16)]},
    "sum": {"parts": [{"bias_type": "1d"}, {"bias_type": "2d"}]},
}
SCHEMES = {name: {"rpb_kwargs": {"bias_type": name} | NEEDS.get(name, {})} for name in numpy_ref.SCHEMES}


def trainer(twin, dtype, options, device="cpu"):
    model = twin.VisionTransformer(
        img_size=8,
        patch_size=2,
        embed_dim=24,
        depth=2,
        num_heads=3,
        dtype=dtype,
        generator=np.random.default_rng(3),
        **options,
    )
    return twin.Trainer(
        model,
        lr=3e-3,
        total_steps=STEPS,
        warmup_steps=4,
        clip_norm=0.5,
        label_smoothing=0.1,
        device=device,
    )


def batches():
    rng = np.random.default_rng(4)
    for _ in range(STEPS):
        yield rng.standard_normal((16, 1, 8, 8)), rng.integers(0, 10, 16)


def mixed(labels):
    """Return the labels (N, 10) of images of which each is mixed with the one before."""
    classes = np.eye(10)[labels]
    return 0.7 * classes + 0.3 * np.roll(classes, 1, axis=0)


def test_twenty_steps_on_mixed_images():
    """Labels may be shares of classes; an answer is correct if it is the class of the largest share."""
    ours, theirs = trainer(numpy_ref, np.float64, {}), trainer(torch_impl, torch.float64, {})
    for images, labels in batches():
        a, b = (twin.train_step(images, mixed(labels)) for twin in (ours, theirs))
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
        assert a.correct == b.correct
    arrays, others = ours.state_dict()[0], theirs.state_dict()[0]
    for name, array in arrays.items():
        assert budget.float64(name, array, others[name], budget.TRAINING_WEIGHTS).ok, name


@pytest.mark.parametrize("twin", [numpy_ref, torch_impl], ids=["numpy", "torch"])
def test_a_whole_share_is_a_label(twin):
    """Shares of 0 and 1 train as the labels they stand for."""
    one, other = trainer(twin, "float64", {}), trainer(twin, "float64", {})
    for images, labels in batches():
        a, b = one.train_step(images, labels), other.train_step(images, np.eye(10)[labels])
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
        assert a.correct == b.correct


@pytest.mark.parametrize("options", (MODELS | SCHEMES).values(), ids=MODELS | SCHEMES)
def test_twenty_steps(options):
    ours = trainer(numpy_ref, np.float64, options)
    theirs = trainer(torch_impl, torch.float64, options, report.device())
    for images, labels in batches():
        a, b = ours.train_step(images, labels), theirs.train_step(images, labels)
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
        assert a.correct == b.correct
        assert a.lr == b.lr
    arrays, progress = ours.state_dict()
    other_arrays, other_progress = theirs.state_dict()
    assert arrays.keys() == other_arrays.keys()
    assert progress == other_progress
    for name, array in arrays.items():
        row = budget.float64(name, array, other_arrays[name], budget.TRAINING_WEIGHTS)
        assert row.ok, row


@pytest.mark.parametrize("direction", ["numpy to torch", "torch to numpy"])
def test_state_goes_from_twin_to_twin(direction):
    """After ten steps one twin's state is loaded into the other; ten more steps agree in both."""
    options = MODELS["t5_dropout"]
    twins = [(numpy_ref, np.float64), (torch_impl, torch.float64)]
    (a, a_dtype), (b, b_dtype) = twins if direction == "numpy to torch" else twins[::-1]
    first, second = trainer(a, a_dtype, options), trainer(b, b_dtype, options)
    for n, (images, labels) in enumerate(batches()):
        if n == STEPS // 2:
            second.load_state_dict(*first.state_dict())
        loss = first.train_step(images, labels).loss
        if n >= STEPS // 2:
            other = second.train_step(images, labels).loss
            assert abs(loss - other) <= budget.TRAINING_LOSS * abs(loss)


@pytest.mark.parametrize("twin", [numpy_ref, torch_impl], ids=["numpy", "torch"])
def test_a_loss_that_is_not_finite_stops(twin):
    broken = trainer(twin, "float32", {})
    with pytest.raises(FloatingPointError, match="at step 0"):
        broken.train_step(np.full((2, 1, 8, 8), np.nan, np.float32), np.zeros(2, np.int64))


HEAD = "head.bias"


@pytest.mark.parametrize("twin", [numpy_ref, torch_impl], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda arrays, progress: arrays.pop(f"model.{HEAD}"), HEAD),
        (lambda arrays, progress: arrays.update({f"model.{HEAD}": np.zeros(3)}), HEAD),
        (lambda arrays, progress: arrays.update({"model.tail": np.zeros(3)}), "tail"),
        (lambda arrays, progress: arrays.pop(f"optimizer.exp_avg.{HEAD}"), HEAD),
        (lambda arrays, progress: arrays.pop(f"optimizer.exp_avg_sq.{HEAD}"), HEAD),
        (lambda arrays, progress: progress.pop("step"), "step"),
        (lambda arrays, progress: progress.pop("generator"), "generator"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(twin, spoil, named):
    """Weights, moments, step and generator stay as they were, whichever part of the state is bad."""
    one, (images, labels) = trainer(twin, "float64", {"drop_rate": 0.1}), next(batches())
    one.train_step(images, labels)
    before, progress = one.state_dict()
    arrays = {name: array + 1 for name, array in before.items()}
    other = trainer(twin, "float64", {"drop_rate": 0.2})
    other.train_step(images, labels)
    other.train_step(images, labels)
    spoiled = other.state_dict()[1]
    spoil(arrays, spoiled)
    with pytest.raises(ValueError, match=named):
        one.load_state_dict(arrays, spoiled)
    after, unchanged = one.state_dict()
    assert unchanged == progress
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
