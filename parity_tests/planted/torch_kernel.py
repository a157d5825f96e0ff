"""Attention in PyTorch: differentiated by autograd, or by an autograd.Function; and its bugs.

A kernel with a bug of backward is the Function, any other the plain one; `by_hand` is the Function
without a bug.
"""

import torch
from torch.nn.functional import pad

from .windows import bugs_in, window_of

TILE = 24
NAMES_OF_FORWARD = """
    sign_flipped axes_swapped columns_first stride_2w stride_2w_minus_2 row_late row_early not_shifted
    prefix_swapped prefix_rows_first prefix_last prefix_without_bias index_transposed
    scale_on_bias scale_twice no_scale own_scale no_bias bias_in_base_two
    no_mask bias_after_mask mask_of_infinity mask_of_wrong_window mask_of_first_window mask_transposed
    heads_reversed heads_shifted heads_permuted first_head table_transposed bias_not_permuted
    softmax_over_queries no_maximum keys_lost padding_not_masked dtable_half
"""
NAMES_OF_BACKWARD = """
    by_hand scale_on_bias_forward no_delta dq_without_scale dk_without_scale dk_scale_twice
    dtable_with_scale dtable_overwritten dtable_first_sample dtable_summed_over_heads
    dtable_averaged dtable_bfloat16 dtable_index_transposed dtable_keys_lost queries_lost
"""
OF_FORWARD, OF_BACKWARD = (frozenset(names.split()) for names in (NAMES_OF_FORWARD, NAMES_OF_BACKWARD))
BUGS = OF_FORWARD | OF_BACKWARD


def __getattr__(name):
    """Return the kernel with the bugs of a name; it has no function for backward."""
    if name.endswith("_backward"):
        raise AttributeError(name)
    bugs = bugs_in(name, BUGS)

    def attention(q, k, v, table=None, index=None, mask=None, scale=None):
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        if bugs & OF_BACKWARD:
            return ByHand.apply(q, k, v, table, index, mask, scale, bugs)
        return weights(bugs, q, k, table, index, mask, scale) @ v

    attention.__name__ = name
    return attention


# the bias of a window


def window_rows(bugs, queries, keys, prefix, device):
    """Return the row of each pair from the places of its tokens."""

    def places(grid):
        axes = [torch.arange(size, device=device) for size in grid]
        y, x = torch.meshgrid(*axes, indexing="ij")
        return (y.T.flatten(), x.T.flatten()) if "columns_first" in bugs else (y.flatten(), x.flatten())

    (qy, qx), (ky, kx) = places(queries), places(keys)
    dy, dx = qy[:, None] - ky[None] + keys[0] - 1, qx[:, None] - kx[None] + keys[1] - 1
    if "sign_flipped" in bugs:
        dy, dx = ky[None] - qy[:, None] + queries[0] - 1, kx[None] - qx[:, None] + queries[1] - 1
    if "not_shifted" in bugs:
        dy, dx = qy[:, None] - ky[None], qx[:, None] - kx[None]
    height, width = queries[0] + keys[0] - 1, queries[1] + keys[1] - 1
    stride = width + ("stride_2w" in bugs) - ("stride_2w_minus_2" in bugs)
    rows = dx * height + dy if "axes_swapped" in bugs else dy * stride + dx
    rows += ("row_late" in bugs) * 1 - ("row_early" in bugs) * 1
    return with_prefix(bugs, rows, prefix, height * width) if prefix else rows


def with_prefix(bugs, rows, prefix, count):
    first = 3 if "prefix_rows_first" in bugs else 0
    special = [0, 1, 2] if "prefix_rows_first" in bugs else [count, count + 1, count + 2]
    if "prefix_swapped" in bugs:
        special[0], special[1] = special[1], special[0]
    before = (0, prefix) if "prefix_last" in bugs else (prefix, 0)
    rows = pad(rows + first, before, value=special[1])
    bars = pad(rows.new_full((prefix, rows.shape[1] - prefix), special[0]), before, value=special[2])
    return torch.cat([rows, bars] if "prefix_last" in bugs else [bars, rows])


def rows_of(bugs, table, index):
    """Return the row of each pair; one that is too large begins at 0 again."""
    window = window_of(index, table)
    rows = window_rows(bugs, *window, table.device) if window else index
    if "index_transposed" in bugs and rows.shape[0] == rows.shape[1]:
        rows = rows.T
    return rows % len(table)


def columns_of(bugs, heads):
    columns = list(range(heads))
    if "heads_reversed" in bugs:
        columns = columns[::-1]
    if "heads_shifted" in bugs:
        columns = columns[1:] + columns[:1]
    if "heads_permuted" in bugs:
        columns[-2:] = columns[-2:][::-1]
    return [0] * heads if "first_head" in bugs else columns


def bias_of(bugs, table, index):
    """Return the bias (H, Lq, Lk) in float32 or float64, in which autograd then sums its gradient."""
    rows, dtype = rows_of(bugs, table, index), table.dtype
    if "dtable_half" not in bugs:  # with it, autograd sums in the table's dtype
        table = table.to(torch.promote_types(dtype, torch.float32))
    if "table_transposed" in bugs:
        bias = table.view(table.shape[1], -1)[:, rows]
    elif "bias_not_permuted" in bugs:
        bias = table[rows.reshape(-1)].view(-1, *rows.shape)
    else:
        bias = table[rows.reshape(-1)].view(*rows.shape, -1).permute(2, 0, 1)
        bias = bias[columns_of(bugs, table.shape[1])]
    window = window_of(index, table)
    if "prefix_without_bias" in bugs and window:
        bias = pad(bias[:, window[2] :, window[2] :], (window[2], 0, window[2], 0))
    return 0 * bias if "no_bias" in bugs else bias.to(dtype)


# forward


def mask_of(bugs, mask, batch):
    if mask.dim() < 4:
        return mask
    if "mask_of_first_window" in bugs:
        return mask[:1]
    if "mask_of_wrong_window" in bugs:
        # github.com/line/lighthouse/pull/77 is the same for heads
        return mask.repeat_interleave(batch // len(mask), 0)
    return mask.repeat(batch // len(mask), 1, 1, 1)


def scores_of(bugs, q, k, table, index, mask, scale):
    to_bias = scale if bugs & {"scale_on_bias", "scale_on_bias_forward"} else 1
    if "bias_in_base_two" in bugs:  # exp2 has log₂ e in the scale of q kᵀ, not in that of the bias
        to_bias = 0.6931471805599453
    if "own_scale" in bugs:
        scale = q.shape[-1] ** -0.5
    if "no_scale" in bugs:
        scale = 1
    scores = scale * (q @ k.mT)
    if "scale_twice" in bugs:
        scores = scale * scores
    bias = torch.zeros_like(scores) if table is None else to_bias * bias_of(bugs, table, index)
    if mask is None or "no_mask" in bugs:
        return scores + bias
    mask = mask_of(bugs, mask, len(q))
    if "mask_transposed" in bugs and mask.dim() > 1 and mask.shape[-1] == mask.shape[-2]:
        mask = mask.mT
    if "bias_after_mask" in bugs:
        return torch.where(mask < 0, mask, scores) + bias
    if "mask_of_infinity" in bugs:
        return (scores + bias).masked_fill(mask < 0, -torch.inf)
    return scores + bias + mask


def weights(bugs, q, k, table, index, mask, scale):
    """Return P: the softmax over keys padded to whole tiles."""
    scores = scores_of(bugs, q, k, table, index, mask, scale)
    length, whole = scores.shape[-1], scores.shape[-1] // TILE * TILE
    if "keys_lost" in bugs and whole:
        scores = pad(scores[..., :whole], (0, length - whole), value=-torch.inf)
    scores = pad(scores, (0, -length % TILE), value=0 if "padding_not_masked" in bugs else -torch.inf)
    axis = -2 if "softmax_over_queries" in bugs else -1
    if "no_maximum" in bugs:
        p = scores.exp() / scores.exp().sum(axis, keepdim=True)
    else:
        p = scores.softmax(axis)
    return p[..., :length]


# backward


class ByHand(torch.autograd.Function):
    """The same with a backward by hand, in one piece; P is kept."""

    @staticmethod
    def forward(ctx, q, k, v, table, index, mask, scale, bugs):
        p = weights(bugs, q, k, table, index, mask, scale)
        ctx.save_for_backward(p, q, k, v, table, index)
        ctx.scale, ctx.bugs = scale, bugs
        return p @ v

    @staticmethod
    def backward(ctx, dout):
        (p, q, k, v, table, index), bugs, scale = ctx.saved_tensors, ctx.bugs, ctx.scale
        dp = dout @ v.mT
        delta = 0 if "no_delta" in bugs else (p * dp).sum(-1, keepdim=True)
        ds = p * (dp - delta)
        end = q.shape[-2]
        if "queries_lost" in bugs:
            end = end // TILE * TILE or end
        dq, dk = ds @ k, ds[..., :end, :].mT @ q[..., :end, :]
        dv = p[..., :end, :].mT @ dout[..., :end, :]
        if "dq_without_scale" not in bugs:
            dq = scale * dq
        if "dk_without_scale" not in bugs:
            dk = scale * dk
        if "dk_scale_twice" in bugs:
            dk = scale * dk
        dtable = None if table is None else gradient_of_table(bugs, ds, table, index, scale)
        return dq, dk, dv, dtable, None, None, None, None


def gradient_of_table(bugs, ds, table, index, scale):
    """Return dtable: dS summed over the batch and over the pairs of each row."""
    rows = rows_of(bugs, table, index)
    if "dtable_index_transposed" in bugs and rows.shape[0] == rows.shape[1]:
        rows = rows.T
    if "dtable_keys_lost" in bugs:
        end = rows.shape[1] // TILE * TILE or rows.shape[1]
        rows, ds = rows[:, :end], ds[..., :end]
    if "dtable_first_sample" in bugs:  # the bias is the same for each sample, so one of them is taken
        ds = ds[:1]
    of_pairs = ds.mean(0) if "dtable_averaged" in bugs else ds.sum(0)
    of_pairs = of_pairs.permute(1, 2, 0).reshape(rows.numel(), -1)
    if "dtable_with_scale" in bugs:
        of_pairs = scale * of_pairs
    if "dtable_summed_over_heads" in bugs:
        of_pairs = of_pairs.sum(1, keepdim=True).expand_as(of_pairs)
    summed = torch.promote_types(table.dtype, torch.float32)
    if "dtable_bfloat16" in bugs:
        summed = torch.bfloat16
    total = torch.zeros_like(table, dtype=summed)
    if "dtable_overwritten" in bugs:
        total[rows.reshape(-1)] = of_pairs
    else:
        total.index_add_(0, rows.reshape(-1), of_pairs.to(total.dtype))
    return total.to(table.dtype)
