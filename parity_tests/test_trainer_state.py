"""A state with any bad field is refused by both twins before the trainer changes."""

import numpy as np
import pytest

from .both import TWINS, tensor
from .trainers import assert_refused, assert_unchanged, batch, no_int, trainer_of

STATES = {
    "no dict": (lambda a, p: (list(a), p), TypeError, "^state is a list"),
    "a key that is no name": (lambda a, p: (a | {3: np.zeros(1)}, p), TypeError, "^state has the key 3"),
    "a model's key is missing": (
        lambda a, p: ({k: v for k, v in a.items() if k != "model.head.bias"}, p),
        ValueError,
        r"missing \['head\.bias'\]",
    ),
    "a moment is missing": (
        lambda a, p: ({k: v for k, v in a.items() if k != "optimizer.exp_avg.head.bias"}, p),
        ValueError,
        r"missing \['exp_avg\.head\.bias'\]",
    ),
    "an unknown key": (lambda a, p: (a | {"head.bias": np.zeros(10)}, p), ValueError, "unexpected"),
    "another shape": (
        lambda a, p: (a | {"model.head.bias": np.zeros(9)}, p),
        ValueError,
        "head.bias has shape",
    ),
    "text": (
        lambda a, p: (a | {"model.head.bias": np.full(10, "x")}, p),
        TypeError,
        r"^model\.head\.bias is <U1",
    ),
    "a list": (
        lambda a, p: (a | {"optimizer.exp_avg.head.bias": [0.0] * 10}, p),
        TypeError,
        r"^optimizer\.exp_avg\.head\.bias is list",
    ),
    "complex": (
        lambda a, p: (a | {"optimizer.exp_avg_sq.head.bias": np.zeros(10, complex)}, p),
        TypeError,
        "is complex128",
    ),
    "progress is no dict": (lambda a, p: (a, [1]), TypeError, "^progress is a list"),
    "no step": (lambda a, p: (a, {"generator": p["generator"]}), ValueError, "^progress lacks step"),
    "a step before the first": (
        lambda a, p: (a, p | {"step": -1}),
        ValueError,
        r"^progress..step.. is -1",
    ),
    "half a step": (lambda a, p: (a, p | {"step": 1.5}), TypeError, r"^progress..step.. is 1\.5"),
    "a step in words": (lambda a, p: (a, p | {"step": "1"}), TypeError, r"^progress..step.. is '1'"),
    "a step that is true": (
        lambda a, p: (a, p | {"step": True}),
        TypeError,
        r"^progress..step.. is True",
    ),
}
GENERATORS = {
    "nothing": None,
    "a list": [],
    "another kind": {"bit_generator": "MT19937"},
    "no numbers": {"bit_generator": "PCG64"},
    "no increment": {"state": {"state": 1}},
    "text": {"state": {"state": "1", "inc": 1}},
    "negative": {"state": {"state": -1, "inc": 1}},
    "too large": {"state": {"state": 2**128, "inc": 1}},
    "a fraction": {"state": {"state": 1.5, "inc": 1}},
    "a half that is text": {"has_uint32": "0"},
    "a half that is too large": {"uinteger": 2**64},
    "one field more": {"extra": 1},
}


@TWINS
@pytest.mark.parametrize(("spoil", "error", "message"), STATES.values(), ids=STATES)
def test_a_spoiled_state_changes_nothing(twin, spoil, error, message):
    trainer, arrays, progress = moved(twin)
    before = trainer.state_dict()
    with pytest.raises(error, match=message):
        trainer.load_state_dict(*spoil(arrays, progress))
    assert_unchanged(trainer, *before)


@TWINS
@pytest.mark.parametrize("change", GENERATORS.values(), ids=GENERATORS)
def test_a_spoiled_generator_changes_nothing(twin, change):
    trainer, arrays, progress = moved(twin)
    before = trainer.state_dict()
    whole = isinstance(change, dict) and "bit_generator" not in change
    state = progress["generator"] | change if whole else change
    with pytest.raises(ValueError, match=r"^generator: the state is"):
        trainer.load_state_dict(arrays, progress | {"generator": state})
    assert_unchanged(trainer, *before)


@TWINS
@pytest.mark.parametrize("kind", ["MT19937", "Philox", "SFC64", "PCG64DXSM"])
def test_generators_of_every_kind_survive_the_state(twin, kind):
    def trainer(seed):
        generator = np.random.Generator(getattr(np.random, kind)(seed))
        model = twin.VisionTransformer(8, embed_dim=8, depth=1, num_heads=2, generator=generator)
        return twin.Trainer(model, 1e-3, 10, device="cpu")

    one, other = trainer(0), trainer(1)
    other.load_state_dict(*one.state_dict())
    draws = [t.model.generator.random(5) for t in (one, other)]
    np.testing.assert_array_equal(*draws)


@TWINS
def test_adamw_refuses_a_state_and_changes_nothing(twin):
    trainer, _, _ = moved(twin)
    before, optimizer = trainer.state_dict(), trainer.optimizer
    state = optimizer.state_dict()
    other = {name: array + 1 for name, array in state.items()}
    assert_refused(lambda steps: optimizer.load_state_dict(other, steps), "steps", no_int(-1))
    with pytest.raises(TypeError, match=r"^state is a list"):
        optimizer.load_state_dict([], 1)
    assert_unchanged(trainer, *before)


def moved(twin):
    """Return a trainer, and arrays and progress of another trainer after a step."""
    other = trainer_of(twin)
    other.train_step(*batch())
    return trainer_of(twin), *other.state_dict()


def test_a_tensor_is_no_array_of_a_state():
    """States hold NumPy arrays in both twins; a tensor is a TypeError before anything is loaded."""
    torch_impl = pytest.importorskip("torch_impl")
    trainer, arrays, progress = moved(torch_impl)
    tensors = {name: tensor(torch_impl, a) for name, a in arrays.items()}
    with pytest.raises(TypeError, match="is Tensor in the state"):
        trainer.load_state_dict(tensors, progress)
