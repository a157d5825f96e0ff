/* Gradients: an outer loop over tiles of keys, an inner one over tiles of queries. */

#include "attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A head of one sample. */
typedef struct {
    const attention *a;
    int64_t b, h;
    const REAL *q, *k, *v, *dout, *lse;
    REAL *dq, *dk, *dv, *delta;
    double *total; /* dtable, or NULL */
} head;

static double bfloat16(double x)
{
    float rounded = x;
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    bits += 0x7FFF + (bits >> 16 & 1);
    bits &= 0xFFFF0000;
    memcpy(&rounded, &bits, sizeof bits);
    return rounded;
}

static void add(REAL *to, REAL factor, const REAL *x, int64_t n)
{
    for (int64_t c = 0; c < n; c++) to[c] += factor * x[c];
}

static void add_to_table(const head *of, int64_t i, int64_t j, double ds)
{
    const attention *a = of->a;
    int64_t place = attention_place(a, of->b, of->h, i, j);
    if (place < 0) return;
    if (HAS(dtable_keys_lost) && j >= attention_whole(a->k_len, KEYS, 1)) return;
    if (HAS(dtable_queries_lost) && i >= attention_whole(a->q_len, QUERIES, 1)) return;
    if (HAS(scale_on_bias)) ds *= a->scale;
    if (HAS(no_bias)) ds = 0;
    if (HAS(dtable_averaged)) ds /= a->batch;
    if (HAS(dtable_stored)) of->total[place] = ds;
    else if (HAS(dtable_bfloat16)) of->total[place] = bfloat16(of->total[place] + bfloat16(ds));
    else of->total[place] += ds;
}

static void pair(const head *of, int64_t i, int64_t j)
{
    const attention *a = of->a;
    const REAL *dout = of->dout + i * a->v_dim;
    int64_t owner = attention_owner(a, i, j);
    REAL p = exp(attention_score(a, of->b, of->h, i, j, 1) - of->lse[owner]);
    REAL dp = attention_dot(dout, of->v + j * a->v_dim, a->v_dim);
    REAL ds = p * (dp - (HAS(no_delta) ? 0 : of->delta[owner]));
    REAL scale = HAS(own_scale) ? 1 / sqrt(a->dim) : a->scale;
    if (HAS(scale_twice)) scale *= scale;
    REAL to_k = HAS(dk_without_scale) ? 1 : HAS(dk_scale_twice) ? scale * scale : scale;
    add(of->dq + i * a->dim, (HAS(dq_without_scale) ? 1 : scale) * ds, of->k + j * a->dim, a->dim);
    if (of->total) add_to_table(of, i, j, ds);
    if (HAS(queries_lost) && i >= attention_whole(a->q_len, QUERIES, 1)) return;
    add(of->dk + j * a->dim, to_k * ds, of->q + i * a->dim, a->dim);
    add(of->dv + j * a->v_dim, p, dout, a->v_dim);
}

/* Σ_j P dP of each query, which is dout · out; of each key where the softmax runs over the queries. */
static void fill_delta(const head *of, const REAL *out)
{
    const attention *a = of->a;
    memset(of->delta, 0, attention_longer(a) * sizeof *of->delta);
    for (int64_t i = 0; i < a->q_len; i++) {
        const REAL *dout = of->dout + i * a->v_dim;
        if (!HAS(softmax_over_queries)) {
            of->delta[i] = attention_dot(dout, out + i * a->v_dim, a->v_dim);
            continue;
        }
        for (int64_t j = 0; j < a->k_len; j++) {
            REAL p = exp(attention_score(a, of->b, of->h, i, j, 1) - of->lse[j]);
            of->delta[j] += p * attention_dot(dout, of->v + j * a->v_dim, a->v_dim);
        }
    }
}

static void tiles(const head *of)
{
    const attention *a = of->a;
    int64_t end = attention_whole(a->k_len, KEYS, HAS(keys_lost));
    for (int64_t key = 0; key < end; key += KEYS)
        for (int64_t query = 0; query < a->q_len; query += QUERIES)
            for (int64_t i = query; i < query + QUERIES && i < a->q_len; i++)
                for (int64_t j = key; j < key + KEYS && j < a->k_len; j++) pair(of, i, j);
}

static void finish_table(const attention *a, const double *total, REAL *dtable)
{
    for (int64_t row = 0; row < a->rows; row++) {
        double sum = 0;
        for (int64_t h = 0; h < a->heads; h++) sum += total[row * a->heads + h];
        for (int64_t h = 0; h < a->heads; h++)
            dtable[row * a->heads + h] = HAS(dtable_summed_over_heads) ? sum : total[row * a->heads + h];
    }
}

/* The gradients are zero at first. */
void attention_backward(const attention *a, const REAL *dout, const REAL *out, const REAL *lse,
                        REAL *dq, REAL *dk, REAL *dv, REAL *dtable)
{
    double *total = dtable ? calloc(a->rows * a->heads, sizeof *total) : NULL;
    REAL *delta = calloc(attention_longer(a), sizeof *delta);
    for (int64_t bh = 0; bh < a->batch * a->heads; bh++) {
        int64_t at_q = bh * a->q_len * a->dim, at_k = bh * a->k_len * a->dim;
        int64_t at_v = bh * a->k_len * a->v_dim, at_out = bh * a->q_len * a->v_dim;
        head of = {a, bh / a->heads, bh % a->heads, a->q + at_q, a->k + at_k, a->v + at_v, dout + at_out,
                   lse + bh * attention_longer(a), dq + at_q, dk + at_k, dv + at_v, delta, total};
        if (HAS(dtable_last_sample) && total && of.h == 0)
            memset(total, 0, a->rows * a->heads * sizeof *total);
        fill_delta(&of, out + at_out);
        tiles(&of);
    }
    if (dtable) finish_table(a, total, dtable);
    free(total);
    free(delta);
}
