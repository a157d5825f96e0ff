"""The checks of every op's arguments: the number of axes, and that table and index come together."""

import numpy as np
import pytest

from .calls import SIDES, SMALL, forward, given_to

# Arguments with any number of leading axes, or that are broadcast along missing ones.
ANY_AXES = {"bias", "mask", "multiplier"}
ANY_AXES_OF = {"dropout", "gelu", "layer_norm", "layer_scale", "linear", "mlp", "relu", "sigmoid"}
ANY_AXES_OF |= {"silu", "softmax"}


def axes_are_fixed(case, name):
    return name not in ANY_AXES and not (case.name in ANY_AXES_OF and name == "x")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_another_number_of_axes_is_a_value_error(case, side):
    given = given_to(case)
    for name in given:
        if axes_are_fixed(case, name):
            for spoiled in (given[name][0], given[name][None]):
                with pytest.raises(ValueError, match=r"(has shape|images are)"):
                    forward(side, case, given | {name: np.asarray(spoiled)})


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("pair", [("table", "index"), ("value_embedding", "value_index")], ids="-".join)
def test_a_table_and_its_index_belong_together(pair, side):
    case = next(c for c in SMALL if c.name == "attention" and {*pair} <= {*c.inputs})
    given = given_to(case)
    for name in pair:
        with pytest.raises(ValueError, match=f"{pair[0]} and {pair[1]} belong together"):
            forward(side, case, {n: a for n, a in given.items() if n != name})
