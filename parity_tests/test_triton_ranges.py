"""What triton makes of rows that the table does not have: NaN, and nothing outside the table is read.

13 tokens are one tile, 70 are several.
"""

import pytest
import torch

from torch_impl.ops import attention

pytest.importorskip("triton")

from .test_triton import DEVICE, INTERPRETABLE, drawn, grads_of, window

pytestmark = INTERPRETABLE


def computed(implementation, qkv, table, queries=None, **pairs):
    """Return {name: tensor}: the output and the gradients, those of `queries` only."""
    table = table.detach().clone().requires_grad_()
    out = attention(*qkv, table, **pairs, implementation=implementation)
    kept = out if queries is None else out * queries[:, None]
    grads = grads_of(kept, *qkv, table)
    return {"out": out} | dict(zip(("dq", "dk", "dv", "dtable"), grads, strict=True))


def assert_only_these_are_nan(found, expected, queries, rows):
    """Of out and dq these queries are NaN, of dtable these rows, and all of dk and dv."""
    for name in ("out", "dq"):
        wrong = found[name].isnan().all(-1)
        assert torch.equal(wrong, queries.expand_as(wrong)), name
        torch.testing.assert_close(found[name][~wrong], expected[name][~wrong])
    assert torch.equal(found["dtable"].isnan().all(-1), rows)
    torch.testing.assert_close(found["dtable"][~rows], expected["dtable"][~rows])
    assert found["dk"].isnan().all()
    assert found["dv"].isnan().all()


@pytest.mark.parametrize(
    ("tokens", "entry"), [(13, -1), (13, 14), (13, 2**31 - 1), (13, -(2**31)), (70, 14)]
)
def test_an_index_out_of_range_gives_nan(tokens, entry):
    """Query 1 reads a row that is not there; the other queries, and their rows, are as without it."""
    qkv = drawn(tokens)
    table = torch.randn(9, 2, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    index = torch.randint(2, 9, (tokens, tokens), generator=torch.Generator().manual_seed(2)).to(DEVICE)
    index[1] = torch.arange(tokens, device=DEVICE) % 2  # rows 0 and 1 are those of query 1
    expected = computed("eager", qkv, table, index=index)
    index[1, 3] = entry
    found = computed("triton", qkv, table, index=index)
    queries = torch.arange(tokens, device=DEVICE) == 1
    assert_only_these_are_nan(found, expected, queries, torch.arange(9, device=DEVICE) < 2)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("tokens", "prefix"), [(13, 0), (13, 2), (70, 2)])
def test_an_offset_out_of_range_gives_nan(tokens, prefix, side):
    """All offsets of a query are before the first, or behind the last. Its gradient is 0."""
    qkv, (table, offsets) = drawn(tokens + prefix), window((tokens,), prefix=prefix)
    queries = torch.arange(tokens + prefix, device=DEVICE) == (
        prefix if side < 0 else tokens + prefix - 1
    )
    rows = torch.arange(len(table), device=DEVICE) == (len(table) - 2 if prefix else -1)
    expected = computed("eager", qkv, table, ~queries, offsets=offsets)
    parts = offsets.queries + torch.where(queries, side * 4 * tokens, 0)
    found = computed("triton", qkv, table, ~queries, offsets=offsets._replace(queries=parts))
    assert_only_these_are_nan(found, expected, queries, rows)


@pytest.mark.parametrize("tokens", [13, 70])
def test_keys_that_are_alike_give_a_gradient_of_nan(tokens):
    """The table's gradient would lack one of them. The other results need no inverse of `keys`."""
    qkv, (table, offsets) = drawn(tokens), window((tokens,))
    keys = offsets.keys.clone()
    keys[2] = keys[5]
    alike = offsets._replace(keys=keys)
    expected, found = (computed(name, qkv, table, offsets=alike) for name in ("eager", "triton"))
    dtable, expected_dtable = (results.pop("dtable") for results in (found, expected))
    torch.testing.assert_close(found, expected)
    wrong = dtable.isnan()
    assert wrong[alike.index()[:, 2]].all()
    torch.testing.assert_close(dtable[~wrong], expected_dtable[~wrong])
