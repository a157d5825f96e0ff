"""The PyTorch trainer under autocast, with a scaled loss, compiled, and with an implementation."""

import functools

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from torch_impl import Trainer, VisionTransformer, use_ops
from torch_impl.processes import Processes

from . import budget
from .trainers import assert_unchanged

RATES = {"drop_rate": 0.1, "attn_drop_rate": 0.1, "drop_path_rate": 0.2}
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
FITS, OVERFLOWS = 2.0**12, 2.0**17  # scales of the loss with which a step of this model does so
half = pytest.mark.parametrize("precision", HALF)


def trainer(dtype="float32", rates=None, **options):
    model = VisionTransformer(
        img_size=8,
        embed_dim=8,
        depth=2,
        num_heads=2,
        dtype=dtype,
        generator=np.random.default_rng(3),
        **rates or {},
    )
    return Trainer(model, 1e-3, 20, device="cpu", **options)


def batches(count=4, images=6):
    rng = np.random.default_rng(4)
    return [
        (rng.standard_normal((images, 1, 8, 8), np.float32), rng.integers(0, 10, images))
        for _ in range(count)
    ]


def step(one, count=1):
    return [one.train_step(*batch) for batch in batches(count)]


@half
def test_the_step_computes_in_half_and_keeps_float32(precision):
    """The logits come out in half; loss, parameters, moments, average and evaluation are float32."""
    one, seen = trainer(precision=precision, ema_decay=0.5), []
    scale_to(one, FITS)
    one.network = lambda images: seen.append(one.model(images)) or seen[-1]
    result = step(one, 3)
    assert {logits.dtype for logits in seen} == {HALF[precision]}
    for logits, (_, labels), r in zip(seen, batches(3), result, strict=True):
        loss = torch.nn.functional.cross_entropy(logits.detach().float(), torch.from_numpy(labels))
        assert r.loss == loss.item()
        assert np.isfinite(r.grad_norm)
    arrays, progress = one.state_dict()
    assert {a.dtype for n, a in arrays.items() if n != "scaler.skipped"} <= {
        np.dtype(np.float32),
        np.dtype(np.int64),
    }
    assert {p.dtype for p in one.model.parameters()} == {torch.float32}
    plain = trainer(ema_decay=0.5)
    plain.load_state_dict({n: a for n, a in arrays.items() if not n.startswith("scaler.")}, progress)
    images = batches(1)[0][0]
    np.testing.assert_array_equal(one.predict(images), plain.predict(images))


@half
def test_a_step_in_half_is_near_that_in_float32(precision):
    """One unit in the last place of bf16 is 2⁻⁸; the gradients are unscaled before they are clipped."""
    exact, rounded = trainer(clip_norm=0.1), trainer(clip_norm=0.1, precision=precision)
    scale_to(rounded, FITS)
    (a,), (b,) = step(exact), step(rounded)
    assert 0 < abs(a.loss - b.loss) <= 2**-6 * a.loss
    assert 0 < abs(a.grad_norm - b.grad_norm) <= 2**-4 * a.grad_norm


@half
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_continued_run_has_the_same_bits(precision, after):
    """In fp16 with a scale so large that the first steps overflow and are skipped."""
    options = {"precision": precision, "rates": RATES, "accumulate": 2, "ema_decay": 0.5}
    one, other = trainer(**options), trainer(**options)
    scale_to(one, OVERFLOWS)
    for n, batch in enumerate(batches(5)):
        if n == after:
            other.load_state_dict(*one.state_dict())
        one.train_step(*batch)
        if n >= after:
            other.train_step(*batch)
    assert_unchanged(other, *one.state_dict())
    assert precision == "bf16" or 0 < one.scaler.skipped < 5


def scale_to(one, scale):
    """Let the scaled loss begin with this scale; nothing in a precision without one."""
    arrays, progress = one.state_dict()
    scaled = {"scaler.scale": np.array(scale)} if "scaler.scale" in arrays else {}
    one.load_state_dict(arrays | scaled, progress)


def test_a_step_that_overflows_changes_nothing_but_the_scale():
    one = trainer(precision="fp16", ema_decay=0.5)
    scale_to(one, FITS)
    step(one)
    scale_to(one, OVERFLOWS)
    before, _ = one.state_dict()
    (result,) = step(one)
    after, progress = one.state_dict()
    assert not np.isfinite(result.grad_norm)
    assert (one.steps, progress["step"], one.optimizer.steps) == (2, 2, 1)
    changed = {n for n in before if (before[n] != after[n]).any()}
    assert changed == {"scaler.scale", "scaler.growth_tracker", "scaler.skipped"}
    assert after["scaler.scale"] == OVERFLOWS / 2
    assert after["scaler.skipped"] == 1


class Spoiled(Processes):
    """Processes of which one sends a gradient that is not finite."""

    def reduce_gradients(self, model):
        model.head.bias.grad.fill_(torch.inf)


@pytest.mark.parametrize(("precision", "scale"), [("fp32", 1), ("bf16", 1), ("fp16", 1)])
def test_a_gradient_that_no_scale_can_help_stops(precision, scale):
    one = trainer(precision=precision)
    scale_to(one, scale)
    one.processes = Spoiled()
    before = one.state_dict()
    with pytest.raises(FloatingPointError, match="norm is inf at step 0"):
        step(one)
    assert_unchanged(one, *before)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scaler.scale": np.float32(0)}, TypeError, "^scaler.scale is float32"),
        ({"scaler.scale": np.array(0.0)}, ValueError, "^scaler.scale is 0"),
        ({"scaler.scale": np.array(np.inf)}, ValueError, "^scaler.scale is inf"),
        ({"scaler.scale": np.ones(2)}, ValueError, r"^scaler.scale has shape \(2,\)"),
        ({"scaler.growth_tracker": np.array(-1)}, ValueError, "^scaler.growth_tracker is -1"),
        ({"scaler.skipped": np.array(0.5)}, TypeError, "^scaler.skipped is 0.5"),
        ({"scaler.skipped": np.array(2)}, ValueError, "^scaler.skipped is 2, expected at most the 1"),
        ({"scaler.skipped": None}, ValueError, r"missing \['scaler.skipped'\]"),
        ({"scaler.more": np.array(1)}, ValueError, r"unexpected \['scaler.more'\]"),
    ],
)
def test_a_spoiled_scale_changes_nothing(change, error, message):
    one = trainer(precision="fp16")
    step(one)
    before = arrays, progress = one.state_dict()
    spoiled = {n: a for n, a in (arrays | change).items() if a is not None}
    with pytest.raises(error, match=message):
        one.load_state_dict(spoiled, progress)
    assert_unchanged(one, *before)


@half
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_autocast_needs_float32_parameters(precision, dtype):
    with pytest.raises(ValueError, match=rf"^precision is '{precision}', but the model's dtype is"):
        trainer(dtype, precision=precision)


def test_an_average_in_half_precision_is_refused():
    with pytest.raises(ValueError, match=r"^ema_decay is 0.5, but the model's dtype is torch.bfloat16"):
        trainer("bfloat16", ema_decay=0.5)


class Fused(TorchFunctionMode):
    """Counts the calls of PyTorch's fused attention."""

    calls = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls += function is torch.nn.functional.scaled_dot_product_attention
        return function(*args, **kwargs or {})


@pytest.mark.parametrize(
    ("attention", "around", "calls"),
    [("sdpa", "eager", 2), ("eager", "sdpa", 0), (None, "sdpa", 2), (None, "eager", 0)],
)
def test_attention_is_that_of_the_trainer_else_that_of_the_caller(attention, around, calls):
    one, (images, labels) = trainer(attention=attention), batches(1)[0]
    for call in (lambda: one.train_step(images, labels), lambda: one.predict(images)):
        with use_ops(around), Fused() as fused:
            call()
        assert fused.calls == calls


@pytest.fixture
def compiled(monkeypatch):
    """Let torch.compile run what it traced as it is, which takes no compiler; return the graphs."""
    graphs, original = [], torch.compile

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(original, backend=backend))
    torch.compiler.reset()
    yield graphs
    torch.compiler.reset()


def test_a_compiled_run_is_the_eager_one_under_the_same_names(compiled):
    options = {"dtype": "float64", "accumulate": 4, "ema_decay": 0.5}
    eager, one = trainer(**options), trainer(**options, compile=True)
    assert not compiled
    for a, b in zip(step(eager, 3), step(one, 3), strict=True):
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
    count = len(compiled)
    assert count
    one.predict(batches(1)[0][0])
    assert len(compiled) == count  # evaluation is eager
    (arrays, progress), (others, _) = eager.state_dict(), one.state_dict()
    assert list(arrays) == list(others)
    for name, array in arrays.items():
        row = budget.float64(name, array, others[name], budget.TRAINING_WEIGHTS)
        assert row.ok, row
    one.load_state_dict(arrays, progress)
    assert_unchanged(one, arrays, progress)
    step(one)
    continued = one.state_dict()
    one.load_state_dict(arrays, progress)
    step(one)
    assert_unchanged(one, *continued)
    eager.load_state_dict(*one.state_dict())
    for a, b in zip(step(eager, 2), step(one, 2), strict=True):
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)


class Half(Processes):
    """One of two processes that have half of each batch; the other's sums and gradients are added."""

    def __init__(self, other):
        self.other = other

    def counts(self, count):
        return [count, count]

    def reduce_sums(self, sums):
        if self.other is not None:
            sums += self.other.sums
        self.sums = sums.clone()

    def reduce_gradients(self, model):
        if self.other is not None:
            for p, theirs in zip(model.parameters(), self.other.gradients, strict=True):
                p.grad += theirs
        self.gradients = [p.grad.clone() for p in model.parameters()]


def test_a_step_shared_by_two_processes_is_the_step_of_one():
    """The clipping comes after the sum over the processes."""
    options = {"dtype": "float64", "accumulate": 2, "clip_norm": 0.1}
    whole, first, second = (trainer(**options) for _ in range(3))
    first.processes = Half(None)
    second.processes = Half(first.processes)
    images, labels = batches(1)[0]
    expected = whole.train_step(images, labels)
    first.train_step(images[:3], labels[:3])
    result = second.train_step(images[3:], labels[3:])
    assert result.correct == expected.correct
    for name in ("loss", "grad_norm"):
        row = budget.float64(name, getattr(expected, name), getattr(result, name))
        assert row.ok, row
    for (name, p), q in zip(whole.model.named_parameters(), second.model.parameters(), strict=True):
        row = budget.float64(name, p.grad.numpy(), q.grad.numpy())
        assert row.ok, row
