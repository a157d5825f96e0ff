"""What the tests of the trainer's arguments and of its state share."""

import fractions

import numpy as np

NAN, INF = float("nan"), float("inf")
NO_NUMBER = ("1", None, True, 1j, [1.0], np.array(1.0), object())
NO_INT = ("1", None, True, 1.0, NAN, np.float32(1), fractions.Fraction(1))


def no_number(*outside):
    """[(value, error)]: what is no number, NaN, and numbers outside of what is expected."""
    return [(value, TypeError) for value in NO_NUMBER] + [(v, ValueError) for v in (NAN, *outside)]


def no_int(*outside):
    """[(value, error)]: what is no integer, and integers outside of what is expected."""
    return [(value, TypeError) for value in NO_INT] + [(value, ValueError) for value in outside]


def assert_refused(call, name, pairs):
    """call(value) raises just the error of each (value, error), and the message begins with the name."""
    for value, error in pairs:
        try:
            call(value)
        except Exception as raised:
            assert type(raised) is error, (value, raised)
            assert str(raised).startswith(f"{name} is "), (value, raised)
        else:
            raise AssertionError(f"{name} {value!r} was taken")


def model_of(twin):
    options = {"img_size": 8, "embed_dim": 8, "depth": 1, "num_heads": 2}
    return twin.VisionTransformer(**options, generator=np.random.default_rng(0))


def trainer_of(twin, **options):
    return twin.Trainer(model_of(twin), **{"lr": 1e-3, "total_steps": 10, "device": "cpu"} | options)


def batch():
    return np.random.default_rng(1).standard_normal((4, 1, 8, 8), np.float32), np.arange(4)


def assert_unchanged(trainer, arrays, progress):
    """The trainer's state is what its `state_dict` gave before."""
    after, after_progress = trainer.state_dict()
    assert after_progress == progress
    for name, before in arrays.items():
        np.testing.assert_array_equal(after[name], before, err_msg=name)
