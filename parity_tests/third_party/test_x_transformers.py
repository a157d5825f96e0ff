"""x-transformers: the T5 bias, ALiBi, the dynamic position bias."""

import numpy as np
import pytest

from ._convert import in_float64, renamed
from ._import import original
from .agreement import Agreement, scheme

x_transformers = original("x_transformers.x_transformers")
HEADS = 3


@pytest.mark.parametrize("causal", [False, True])
def test_t5(agree, causal):
    """The original multiplies the table by a scale; with fewer queries than keys they are the last."""
    layer = x_transformers.RelativePositionBias(
        0.5, causal=causal, num_buckets=8, max_distance=20, heads=HEADS
    )
    options = {"num_buckets": 8, "max_distance": 20, "bidirectional": not causal}
    agree(
        Agreement(
            scheme(HEADS, "t5", 24, **options),
            layer,
            lambda: layer(10, 24),
            lambda p: {"relative_position_bias_table": 0.5 * p["relative_attention_bias.weight"]},
            call={"q_size": 10, "q_offset": 14},
        )
    )


@pytest.mark.parametrize("heads", [1, 4, 6, 12])
def test_alibi(agree, heads):
    """The original's slopes are float32; only those of 12 heads are rounded by that."""
    layer = x_transformers.AlibiPositionalBias(heads)
    agree(
        Agreement(
            scheme(heads, "alibi", 7),
            layer,
            lambda: layer(7, 7),
            lambda p: {},
            dtype="float32" if heads == 12 else "float64",
        )
    )


def mlp_state(p):
    """Map the MLP's parameters; the original's first layer norm has a gain gamma and no bias."""
    state = renamed(p, "mlp", "mlp")
    if "mlp.0.1.gamma" in p:
        gamma = state.pop("mlp.0.1.gamma")
        state |= {"mlp.0.1.weight": gamma, "mlp.0.1.bias": 0 * gamma.detach()}
    return state


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("log_distance", [False, True])
def test_dynamic(agree, norm, log_distance):
    """The original computes its distances in float32; here they are replaced by float64 ones."""
    options = {"depth": 3, "norm": norm, "log_distance": log_distance}
    layer, length = x_transformers.DynamicPositionBias(8, heads=HEADS, **options), 7
    offsets = np.arange(1.0 - length, length)[:, None]

    def distances(d):
        return np.sign(d) * np.log1p(np.abs(d)) if log_distance else d

    layer.mlp[0].register_forward_pre_hook(
        lambda module, given: (in_float64(given[0], distances, offsets),)
    )
    agree(
        Agreement(
            scheme(HEADS, "dynamic_1d", length, hidden_features=8, **options),
            layer,
            lambda: layer(length, length),
            mlp_state,
        )
    )
