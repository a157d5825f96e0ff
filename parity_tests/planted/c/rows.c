/* The row of the table that a pair reads, from the places of its tokens in the window. */

#include "attention.h"

static int64_t window_row(const attention *a, int64_t i, int64_t j)
{
    int64_t qy = i / a->qw, qx = i % a->qw, ky = j / a->kw, kx = j % a->kw;
    if (HAS(columns_first)) {
        qy = i % a->qh, qx = i / a->qh, ky = j % a->kh, kx = j / a->kh;
    }
    int64_t dy = qy - ky + a->kh - 1, dx = qx - kx + a->kw - 1;
    if (HAS(sign_flipped)) {
        dy = ky - qy + a->qh - 1, dx = kx - qx + a->qw - 1;
    }
    if (HAS(not_shifted)) {
        dy = qy - ky, dx = qx - kx;
    }
    if (HAS(shifted_by_size)) {
        dy += 1, dx += 1;
    }
    int64_t stride = a->qw + a->kw - 1;
    if (HAS(stride_2w)) stride = a->qw + a->kw;
    if (HAS(stride_2w_minus_2)) stride = a->qw + a->kw - 2;
    int64_t row = dy * stride + dx;
    if (HAS(axes_swapped)) row = dx * (a->qh + a->kh - 1) + dy;
    if (HAS(row_late)) row += 1;
    if (HAS(row_early)) row -= 1;
    return row;
}

int64_t attention_row(const attention *a, int64_t i, int64_t j)
{
    if (HAS(index_transposed) && a->q_len == a->k_len) {
        int64_t first = i;
        i = j, j = first;
    }
    if (!a->known) return a->index[i * a->k_len + j];
    int64_t offsets = (a->qh + a->kh - 1) * (a->qw + a->kw - 1);
    int64_t to_token = offsets, from_token = offsets + 1, among = offsets + 2;
    if (HAS(prefix_swapped)) to_token = offsets + 1, from_token = offsets;
    if (HAS(prefix_rows_first) && a->prefix) to_token = 0, from_token = 1, among = 2;
    int from_prefix = i < a->prefix, to_prefix = j < a->prefix;
    if (HAS(prefix_last)) {
        from_prefix = i >= a->q_len - a->prefix, to_prefix = j >= a->k_len - a->prefix;
    }
    if (from_prefix && to_prefix) return among;
    if (from_prefix) return to_token;
    if (to_prefix) return from_token;
    int64_t skipped = HAS(prefix_last) ? 0 : a->prefix;
    return window_row(a, i - skipped, j - skipped) + (HAS(prefix_rows_first) && a->prefix ? 3 : 0);
}
