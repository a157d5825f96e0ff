"""Offsets make the same index as the scheme does, for random sizes and options of every scheme."""

import numpy as np
import pytest
import torch

import torch_impl
from torch_impl.ops import attention, attention_weights

from .test_geometry import DRAWS, ROUNDS, Draws

# The others read the query, take an index of the user's, or depend on more than the offset.
OF_OFFSETS = [
    *("1d", "2d", "3d", "alibi", "alibi2d", "dynamic", "dynamic_1d", "irpe_bias", "kerple", "levit"),
    *("log_cpb", "maxvit", "rel_pos_mlp", "sandwich", "t5"),
]


def drawn(bias_type):
    """Yield schemes and sizes to call them with."""
    draw = Draws(np.random.default_rng(1))
    for _ in range(ROUNDS):
        window, options, call = DRAWS[bias_type](draw)
        scheme = torch_impl.RelativePositionBias(4, window, bias_type, dtype="float64", **options)
        for sizes in (scheme.sizes(), scheme.sizes(**call)):
            yield scheme, sizes


@pytest.mark.parametrize("bias_type", OF_OFFSETS)
def test_the_index_is_the_schemes(bias_type):
    compared = 0
    for scheme, sizes in drawn(bias_type):
        offsets, index = scheme.offsets(*sizes), scheme.lookup(*sizes)[1]
        if offsets is None:
            assert bias_type == "irpe_bias"
            assert scheme._bucket_rows.method == "cross"
            continue
        assert torch.equal(offsets.index(), index)
        compared += 1
    assert compared > ROUNDS


@pytest.mark.parametrize("bias_type", OF_OFFSETS)
def test_by_offset_is_the_table_in_the_order_of_the_offsets(bias_type):
    """What a kernel reads: the row of queries[i] + keys[j], without `rows`."""
    for scheme, sizes in drawn(bias_type):
        offsets = scheme.offsets(*sizes)
        if offsets is None:
            continue
        table, p = scheme.table(*sizes), scheme.num_prefix_tokens
        pairs = offsets.queries[p:, None] + offsets.keys[p:]
        assert torch.equal(offsets.by_offset(table)[pairs].permute(2, 0, 1), scheme(*sizes)[:, p:, p:])


@pytest.mark.parametrize("bias_type", ["alibi", "kerple", "sandwich"])
def test_causal_says_which_pairs_are_hidden(bias_type):
    hidden = 0
    for scheme, sizes in drawn(bias_type):
        offsets, p = scheme.offsets(*sizes), scheme.num_prefix_tokens
        if offsets.causal is None:
            assert not scheme.causal
            continue
        bias = scheme(*sizes)[:, p:, p:]
        i, j = torch.arange(bias.shape[1])[:, None], torch.arange(bias.shape[2])
        assert torch.equal(bias.isneginf(), (j > i + offsets.causal).expand_as(bias))
        hidden += 1
    assert hidden > 5


@pytest.mark.parametrize("bias_type", sorted(set(DRAWS) - set(OF_OFFSETS)))
def test_no_other_scheme_has_offsets(bias_type):
    for scheme, sizes in drawn(bias_type):
        if bias_type == "gated_t5":  # its bias is a gate times the table
            continue
        assert not hasattr(scheme, "offsets") or scheme.offsets(*sizes) is None


def inputs(length):
    """Return q, k, v, and a table with its offsets, for a window of `length` tokens and a prefix."""
    rng = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, length + 1, 4, dtype=torch.float64, generator=rng)
    scheme = torch_impl.RelativePositionBias(
        3, (length,), "t5", num_prefix_tokens=1, num_buckets=8, max_distance=9, dtype="float64"
    )
    return (q, k, v), scheme.table().detach(), scheme.index, scheme.offsets(*scheme.sizes())


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_attention_takes_offsets_in_place_of_the_index(implementation):
    qkv, table, index, offsets = inputs(7)
    options = {"table": table, "implementation": implementation}
    expected = attention(*qkv, index=index, **options)
    assert torch.equal(attention(*qkv, offsets=offsets, **options), expected)
    weights = attention_weights(*qkv[:2], table, index)
    assert torch.equal(attention_weights(*qkv[:2], table, offsets=offsets), weights)


def test_a_longer_sequence_needs_no_index_from_the_scheme():
    module = torch_impl.MultiHeadAttention(
        8, 2, rpb_kwargs={"window_size": 5, "bias_type": "alibi"}, dtype="float64"
    )
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    q, k, v = module._qkv(x)
    terms = module.rel_pos.score_terms(x, q, k)
    assert terms.index is None
    assert torch.equal(terms.offsets.index(), module.rel_pos.lookup(9, 9)[1])
    out = attention(q, k, v, module.rel_pos.table(9, 9), module.rel_pos.lookup(9, 9)[1])
    assert torch.equal(module(x), module.proj(out.transpose(1, 2).flatten(2)))


def test_wrong_offsets_are_named():
    (q, k, v), table, _, offsets = inputs(7)
    with pytest.raises(ValueError, match="table and offsets belong together"):
        attention(q, k, v, offsets=offsets)
    with pytest.raises(TypeError, match="offsets is a tuple, expected Offsets"):
        attention(q, k, v, table, offsets=tuple(offsets))
    for name in ("queries", "keys"):
        short = offsets._replace(**{name: getattr(offsets, name)[1:]})
        with pytest.raises(ValueError, match=rf"offsets.{name} has shape \(7,\), expected \(8\)"):
            attention(q, k, v, table, offsets=short)
    with pytest.raises(TypeError, match=r"offsets.keys has dtype torch.float64"):
        attention(q, k, v, table, offsets=offsets._replace(keys=offsets.keys.double()))


@pytest.mark.parametrize("shift", [-9, 9])
def test_an_offset_without_a_row_is_named(shift):
    """A negative one does not count from the end."""
    (q, k, v), table, _, offsets = inputs(7)
    wrong = offsets._replace(queries=offsets.queries + shift)
    with pytest.raises(ValueError, match=r"offsets.queries \+ offsets.keys has entries in \["):
        attention(q, k, v, table, offsets=wrong)
