"""What triton makes of rows that the table does not have: NaN, and nothing outside the table is read.

13 tokens are one tile, 70 are several.
"""

import pytest
import torch

from torch_impl.ops import attention

pytest.importorskip("triton")

from .given_attention import assert_within_budget
from .test_triton import DEVICE, INTERPRETABLE, drawn, gradient_like, inputs_of, results_of, window

pytestmark = INTERPRETABLE


def computed(qkv, table, dout, **pairs):
    """Return {name: tensor}: triton's output and gradients."""
    table = table.detach().clone().requires_grad_()
    out = attention(*qkv, table, **pairs, implementation="triton")
    return results_of(out, *qkv, table, dout=dout)


def assert_only_these_are_nan(found, inputs, dout, queries, rows):
    """Of out and dq these queries are NaN, of dtable these rows, and all of dk and dv.

    The others are what `inputs` give, whose index has no entry out of range.
    """
    every = torch.tensor(True)
    nan = {"out": queries[:, None], "dq": queries[:, None], "dtable": rows[:, None]}
    assert_within_budget(found, inputs, dout, nan=nan | {"dk": every, "dv": every})


@pytest.mark.parametrize(
    ("tokens", "entry"),
    [(13, -1), (13, 14), (13, 2**31 - 1), (13, -(2**31)), (13, 2**32 + 1), (13, 1 - 2**32), (70, 14)],
)
def test_an_index_out_of_range_gives_nan(tokens, entry):
    """Query 1 reads a row that is not there; the other queries, and their rows, are as without it."""
    qkv = drawn(tokens)
    table = torch.randn(9, 2, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    index = torch.randint(2, 9, (tokens, tokens), generator=torch.Generator().manual_seed(2)).to(DEVICE)
    index[1] = torch.arange(tokens, device=DEVICE) % 2  # rows 0 and 1 are those of query 1
    inputs, dout = inputs_of(*qkv, table, index.clone()), gradient_like(qkv[0])
    index[1, 3] = entry
    found = computed(qkv, table, dout, index=index)
    queries = torch.arange(tokens, device=DEVICE) == 1
    assert_only_these_are_nan(found, inputs, dout, queries, torch.arange(9, device=DEVICE) < 2)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("tokens", "prefix"), [(13, 0), (13, 2), (70, 2)])
def test_an_offset_out_of_range_gives_nan(tokens, prefix, side):
    """All offsets of a query are before the first, or behind the last. Its gradient is 0."""
    qkv, (table, offsets) = drawn(tokens + prefix), window((tokens,), prefix=prefix)
    queries = torch.arange(tokens + prefix, device=DEVICE) == (
        prefix if side < 0 else tokens + prefix - 1
    )
    rows = torch.arange(len(table), device=DEVICE) == (len(table) - 2 if prefix else -1)
    dout = gradient_like(qkv[0]) * ~queries[:, None]
    parts = offsets.queries + torch.where(queries, side * 4 * tokens, 0)
    found = computed(qkv, table, dout, offsets=offsets._replace(queries=parts))
    assert_only_these_are_nan(found, inputs_of(*qkv, table, offsets.index()), dout, queries, rows)


@pytest.mark.parametrize("tokens", [13, 70])
def test_keys_that_are_alike_give_a_gradient_of_nan(tokens):
    """The table's gradient would lack one of them. The other results need no inverse of `keys`."""
    qkv, (table, offsets) = drawn(tokens), window((tokens,))
    keys = offsets.keys.clone()
    keys[2] = keys[5]
    alike = offsets._replace(keys=keys)
    dout = gradient_like(qkv[0])
    found = computed(qkv, table, dout, offsets=alike)
    wrong = found["dtable"].isnan()
    assert wrong[alike.index()[:, 2]].all()
    assert_within_budget(found, inputs_of(*qkv, table, alike.index()), dout, nan={"dtable": wrong})
