"""Attention in vectorised NumPy, keys padded to whole tiles, with a backward by hand; and its bugs."""

import numpy as np

from .windows import bugs_in, window_of

TILE = 16
NAMES = """
    sign_flipped axes_swapped columns_first stride_2w stride_2w_minus_2 row_late row_early not_shifted
    shifted_by_size prefix_swapped prefix_rows_first prefix_last prefix_without_bias index_transposed
    scale_on_bias scale_on_bias_forward scale_twice scale_twice_forward no_scale own_scale no_bias
    bias_in_base_two no_mask bias_after_mask mask_replaces mask_of_wrong_window mask_of_first_window
    heads_reversed heads_shifted heads_interleaved first_head table_transposed bias_not_permuted
    softmax_over_queries no_maximum no_delta delta_without_weights dq_without_scale dk_without_scale
    dq_scale_twice dv_over_queries dtable_overwritten dtable_last_sample dtable_summed_over_heads
    dtable_averaged dtable_with_scale dtable_float16 keys_lost dtable_keys_lost queries_lost
    padding_not_masked
"""
BUGS = frozenset(NAMES.split())


def __getattr__(name):
    """Return the forward or, for a name in _backward, the backward function with the bugs of a name."""
    bugs = bugs_in(name.removesuffix("_backward"), BUGS)

    def attention(q, k, v, table=None, index=None, mask=None, scale=None):
        return forward(bugs, q, k, v, table, index, mask, scale)

    def attention_backward(dout, cache):
        return backward(bugs, dout, *cache)

    made = attention_backward if name.endswith("_backward") else attention
    made.__name__ = name
    return made


# the rows of a window


def offsets(bugs, queries, keys):
    """Return Δy, Δx, each (Lq, Lk) and from 0 on."""

    def yx(grid):
        n = np.arange(grid[0] * grid[1])
        return (n % grid[0], n // grid[0]) if "columns_first" in bugs else (n // grid[1], n % grid[1])

    (qy, qx), (ky, kx) = yx(queries), yx(keys)
    dy, dx = qy[:, None] - ky, qx[:, None] - kx
    up, left = keys[0] - 1, keys[1] - 1
    if "sign_flipped" in bugs:
        dy, dx, up, left = -dy, -dx, queries[0] - 1, queries[1] - 1
    if "shifted_by_size" in bugs:
        up, left = up + 1, left + 1
    return (dy, dx) if "not_shifted" in bugs else (dy + up, dx + left)


def window_rows(bugs, queries, keys, prefix):
    dy, dx = offsets(bugs, queries, keys)
    high, wide = queries[0] + keys[0] - 1, queries[1] + keys[1] - 1
    stride = wide
    if "stride_2w" in bugs:
        stride = wide + 1
    if "stride_2w_minus_2" in bugs:
        stride = wide - 1
    rows = dx * high + dy if "axes_swapped" in bugs else dy * stride + dx
    if "row_late" in bugs:
        rows = rows + 1
    if "row_early" in bugs:
        rows = rows - 1
    return with_prefix(bugs, rows, prefix, high * wide) if prefix else rows


def with_prefix(bugs, rows, prefix, count):
    to_token, from_token, among = count, count + 1, count + 2
    if "prefix_swapped" in bugs:
        to_token, from_token = from_token, to_token
    if "prefix_rows_first" in bugs:
        to_token, from_token, among, rows = 0, 1, 2, rows + 3
    whole = np.full([length + prefix for length in rows.shape], among)
    first = slice(-prefix) if "prefix_last" in bugs else slice(prefix, None)
    rest = slice(-prefix, None) if "prefix_last" in bugs else slice(prefix)
    whole[first, first], whole[rest, first], whole[first, rest] = rows, to_token, from_token
    return whole


def rows_of(bugs, table, index):
    """Return the row of each pair, (Lq, Lk), within the table."""
    window = window_of(index, table)
    rows = window_rows(bugs, *window) if window else index
    if "index_transposed" in bugs and rows.shape[0] == rows.shape[1]:
        rows = rows.T
    return rows.clip(0, len(table) - 1)


def columns_of(bugs, heads):
    """Return the column of the table that each head reads."""
    columns = np.arange(heads)
    if "heads_reversed" in bugs:
        columns = columns[::-1]
    if "heads_shifted" in bugs:
        columns = (columns + 1) % heads
    if "heads_interleaved" in bugs and heads % 2 == 0:  # (2, H / 2) for (H / 2, 2)
        columns = columns.reshape(2, -1).T.ravel()
    if "heads_interleaved" in bugs and heads % 2:  # every second one, then the others
        columns = np.r_[columns[1::2], columns[::2]]
    return columns * 0 if "first_head" in bugs else columns


# forward


def bias_of(bugs, table, rows):
    """Return table[rows] as (H, Lq, Lk)."""
    if "table_transposed" in bugs:
        return table.reshape(table.shape[::-1])[:, rows]
    if "bias_not_permuted" in bugs:
        return table[rows].reshape(-1, *rows.shape)
    return table[rows].transpose(2, 0, 1)[columns_of(bugs, table.shape[1])]


def without_prefix(bugs, x, index, table):
    """Return the bias or its gradient, with 0 for the pairs with a prefix token if that is the bug."""
    window = window_of(index, table)
    if "prefix_without_bias" in bugs and window:
        x = x.copy()
        x[..., : window[2], :], x[..., : window[2]] = 0, 0
    return x


def add_mask(bugs, scores, bias, mask):
    if mask is None or "no_mask" in bugs:
        return scores + bias
    if mask.ndim == 4:
        window = np.arange(len(scores)) % len(mask)
        if "mask_of_wrong_window" in bugs:
            window = np.arange(len(scores)) // (len(scores) // len(mask))
        mask = mask[window * 0 if "mask_of_first_window" in bugs else window]
    mask = mask.astype(scores.dtype)
    if "bias_after_mask" in bugs:
        return np.where(mask < 0, mask, scores) + bias
    if "mask_replaces" in bugs:
        return np.where(mask < 0, mask, scores + bias)
    return scores + bias + mask


def softmax(bugs, scores):
    axis = -2 if "softmax_over_queries" in bugs else -1
    if "no_maximum" not in bugs:
        scores = scores - scores.max(axis, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp(scores)
        return p / p.sum(axis, keepdims=True)


def in_tiles(bugs, scores):
    """Return the scores with those of padding up to a whole tile; padding has no weight."""
    length, more = scores.shape[-1], -scores.shape[-1] % TILE
    if "keys_lost" in bugs:
        scores = scores.copy()
        scores[..., length // TILE * TILE or length :] = -np.inf
    padding = 0 if "padding_not_masked" in bugs else -np.inf
    return np.pad(scores, [(0, 0)] * 3 + [(0, more)], constant_values=padding)


def factors(bugs, scale, d, forward):
    """Return what q kᵀ and what the bias are multiplied by."""
    of_scores, of_bias = scale, 1.0
    if "scale_twice" in bugs or ("scale_twice_forward" in bugs and forward):
        of_scores = scale * scale
    if "no_scale" in bugs:
        of_scores = 1.0
    if "own_scale" in bugs:
        of_scores = d**-0.5
    if "scale_on_bias" in bugs or ("scale_on_bias_forward" in bugs and forward):
        of_bias = scale
    if "bias_in_base_two" in bugs:  # the scores are multiplied by log₂ e for exp2, the bias is not
        of_bias = np.log(2)
    return of_scores, 0.0 if "no_bias" in bugs else of_bias


def forward(bugs, q, k, v, table, index, mask, scale):
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    of_scores, of_bias = factors(bugs, scale, q.shape[-1], forward=True)
    rows, bias = None, q.dtype.type(0)
    if table is not None:
        rows = rows_of(bugs, table, index)
        bias = without_prefix(bugs, bias_of(bugs, table, rows), index, table)
        bias = bias * q.dtype.type(of_bias)
    scores = q.dtype.type(of_scores) * q @ k.swapaxes(-1, -2)
    scores = add_mask(bugs, scores, bias, mask)
    p = softmax(bugs, in_tiles(bugs, scores))[..., : k.shape[-2]]
    return p @ v, (p, q, k, v, table, index, rows, scale)


# backward


def backward(bugs, dout, p, q, k, v, table, index, rows, scale):
    of_scores, of_bias = factors(bugs, scale, q.shape[-1], forward=False)
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - delta(bugs, p, dp))
    to_q = to_k = q.dtype.type(of_scores)
    if "dq_without_scale" in bugs:
        to_q = q.dtype.type(1)
    if "dq_scale_twice" in bugs:
        to_q = to_q * to_q
    if "dk_without_scale" in bugs:
        to_k = q.dtype.type(1)
    end = q.shape[-2]
    if "queries_lost" in bugs:
        end = end // TILE * TILE or end
    square = q.shape[-2] == k.shape[-2]
    to_v = p if "dv_over_queries" in bugs and square else p.swapaxes(-1, -2)
    grads = {
        "dq": to_q * ds @ k,
        "dk": to_k * ds[..., :end, :].swapaxes(-1, -2) @ q[..., :end, :],
        "dv": to_v[..., :end] @ dout[..., :end, :],
    }
    if table is not None:
        ds = without_prefix(bugs, ds, index, table)
        grads["dtable"] = of_bias * scatter(bugs, ds, table, rows, scale)
    return grads


def delta(bugs, p, dp):
    axis = -2 if "softmax_over_queries" in bugs else -1
    if "no_delta" in bugs:
        return 0
    return (dp if "delta_without_weights" in bugs else p * dp).sum(axis, keepdims=True)


def scatter(bugs, ds, table, rows, scale):
    """Return dtable: the sum over the batch and over the pairs of each row."""
    if "dtable_last_sample" in bugs:
        ds = ds[-1:]
    if "dtable_keys_lost" in bugs:
        end = ds.shape[-1] // TILE * TILE or ds.shape[-1]
        ds, rows = ds[..., :end], rows[:, :end]
    ds = ds.mean(0) if "dtable_averaged" in bugs else ds.sum(0)
    if "dtable_with_scale" in bugs:
        ds = ds * scale
    total = np.zeros(table.shape, np.float16 if "dtable_float16" in bugs else np.float64)
    if "table_transposed" in bugs:
        np.add.at(total.reshape(table.shape[::-1]).T, rows, ds.transpose(1, 2, 0))
        return total
    if "bias_not_permuted" in bugs:
        np.add.at(total, rows, ds.reshape(*rows.shape, -1))
        return total
    columns = columns_of(bugs, table.shape[1])
    if "dtable_summed_over_heads" in bugs:
        ds = ds.sum(0, keepdims=True) + 0 * ds
    if "dtable_overwritten" in bugs:
        total[rows] += ds.transpose(1, 2, 0)
    else:
        for head, column in enumerate(columns):
            np.add.at(total[:, column], rows, ds[head])
    return total
