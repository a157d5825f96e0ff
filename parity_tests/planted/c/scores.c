/* The score of a pair: scale · q·k + table[row] + mask. */

#include "attention.h"

#include <math.h>

REAL attention_dot(const REAL *x, const REAL *y, int64_t n)
{
    REAL sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static int64_t column_of(const attention *a, int64_t b, int64_t h)
{
    if (HAS(program_decoded)) return (b * a->heads + h) / a->batch;
    if (HAS(heads_reversed)) return a->heads - 1 - h;
    if (HAS(heads_shifted)) return (h + 1) % a->heads;
    if (HAS(heads_permuted)) return h == 0 ? a->heads - 1 : h == a->heads - 1 ? 0 : h; /* ends swapped */
    return HAS(first_head) ? 0 : h;
}

/* The place in the table that head h reads for a pair, or -1 for none: as a masked load does it. */
int64_t attention_place(const attention *a, int64_t b, int64_t h, int64_t i, int64_t j)
{
    if (HAS(bias_not_permuted)) { /* (Lq, Lk, H) taken for (H, Lq, Lk) */
        int64_t n = (h * a->q_len + i) * a->k_len + j;
        h = n % a->heads, j = n / a->heads % a->k_len, i = n / a->heads / a->k_len;
    }
    int64_t row = attention_row(a, i, j);
    if (HAS(prefix_without_bias) && a->known && (i < a->prefix || j < a->prefix)) return -1;
    if (row < 0 || row >= a->rows) return -1;
    if (HAS(table_transposed)) return h * a->rows + row;
    return row * a->heads + column_of(a, b, h);
}

static REAL mask_of(const attention *a, int64_t b, int64_t h, int64_t i, int64_t j)
{
    if (HAS(program_decoded)) b = (b * a->heads + h) % a->batch;
    int64_t window = b % a->masks;
    if (HAS(mask_of_wrong_window)) window = b / (a->batch / a->masks);
    if (HAS(mask_of_first_window)) window = 0;
    int64_t head = h % a->mask_heads;
    return a->mask[((window * a->mask_heads + head) * a->q_len + i) * a->k_len + j];
}

REAL attention_score(const attention *a, int64_t b, int64_t h, int64_t i, int64_t j, int backward)
{
    int64_t bh = b * a->heads + h;
    REAL scale = a->scale, bias = 0;
    if (HAS(own_scale)) scale = 1 / sqrt(a->dim);
    if (HAS(scale_twice) || (HAS(scale_twice_forward) && !backward)) scale *= scale;
    if (HAS(scale_grows) && !backward) scale *= pow(M_LOG2E, j / KEYS); /* in place, tile by tile */
    const REAL *q = a->q + (bh * a->q_len + i) * a->dim, *k = a->k + (bh * a->k_len + j) * a->dim;
    REAL s = scale * attention_dot(q, k, a->dim);
    int64_t place = a->table && !HAS(no_bias) ? attention_place(a, b, h, i, j) : -1;
    if (place >= 0 && !(HAS(backward_without_bias) && backward)) bias = a->table[place];
    if (HAS(scale_on_bias) || HAS(scale_on_bias_forward)) bias *= a->scale;
    if (HAS(bias_in_base_two)) bias *= M_LN2; /* exp2(log₂e · s + bias) */
    if (!a->mask || HAS(no_mask) || (HAS(backward_without_mask) && backward)) return s + bias;
    REAL mask = mask_of(a, b, h, i, j);
    if (HAS(bias_after_mask)) return (mask < 0 ? mask : s) + bias;
    if (HAS(mask_of_infinity)) return mask < 0 ? -INFINITY : s + bias;
    return s + bias + mask;
}
