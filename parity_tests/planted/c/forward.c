/* Attention in tiles, as FlashAttention (arXiv 2205.14135): forward keeps log Σ exp of each query only,
   backward makes P anew from it. The table's gradient is summed in double. */

#include "attention.h"

#include <math.h>
#include <string.h>

int64_t attention_whole(int64_t length, int64_t tile, int lost)
{
    return lost ? length / tile * tile : (length + tile - 1) / tile * tile;
}

/* One query: the online softmax over tiles of keys. */
static void attend(const attention *a, int64_t b, int64_t h, int64_t i, REAL *out, REAL *lse)
{
    const REAL *v = a->v + (b * a->heads + h) * a->k_len * a->v_dim;
    REAL largest = HAS(no_maximum) ? 0 : -INFINITY, sum = 0, p[KEYS];
    int64_t end = attention_whole(a->k_len, KEYS, HAS(keys_lost));
    memset(out, 0, a->v_dim * sizeof *out);
    for (int64_t start = 0; start < end; start += KEYS) {
        REAL before = largest, correction;
        for (int64_t n = 0; n < KEYS; n++) {
            p[n] = HAS(padding_not_masked) ? 0 : -INFINITY;
            if (start + n < a->k_len) p[n] = attention_score(a, b, h, i, start + n, 0);
            if (!HAS(no_maximum)) largest = fmax(largest, p[n]);
        }
        int throughout = largest == -INFINITY; /* all keys so far are masked */
        REAL safe = throughout && !HAS(first_tile_masked) ? 0 : largest;
        correction = exp(before - safe);
        if (!HAS(sum_not_rescaled)) sum *= correction;
        for (int64_t c = 0; c < a->v_dim && !HAS(not_rescaled); c++) out[c] *= correction;
        for (int64_t n = 0; n < KEYS; n++) {
            p[n] = exp(p[n] - safe);
            sum += p[n];
            for (int64_t c = 0; c < a->v_dim && start + n < a->k_len; c++)
                out[c] += p[n] * v[(start + n) * a->v_dim + c];
        }
    }
    if (end) for (int64_t c = 0; c < a->v_dim; c++) out[c] /= sum;
    *lse = largest + log(sum);
}

/* Whose log Σ exp a pair has: its query's. */
int64_t attention_owner(const attention *a, int64_t i, int64_t j) { return HAS(softmax_over_queries) ? j : i; }

/* A softmax that reduces each tile along its other axis. lse: (k_len) */
static void attend_over_queries(const attention *a, int64_t b, int64_t h, REAL *out, REAL *lse)
{
    const REAL *v = a->v + (b * a->heads + h) * a->k_len * a->v_dim;
    memset(out, 0, a->q_len * a->v_dim * sizeof *out);
    for (int64_t j = 0; j < a->k_len; j++) {
        REAL largest = -INFINITY, sum = 0;
        for (int64_t i = 0; i < a->q_len; i++) largest = fmax(largest, attention_score(a, b, h, i, j, 0));
        for (int64_t i = 0; i < a->q_len; i++) sum += exp(attention_score(a, b, h, i, j, 0) - largest);
        lse[j] = largest + log(sum);
        for (int64_t i = 0; i < a->q_len; i++)
            for (int64_t c = 0; c < a->v_dim; c++)
                out[i * a->v_dim + c] += exp(attention_score(a, b, h, i, j, 0) - lse[j]) * v[j * a->v_dim + c];
    }
}

int64_t attention_longer(const attention *a) { return a->q_len > a->k_len ? a->q_len : a->k_len; }

/* out: (batch, heads, q_len, v_dim); lse: (batch, heads, max(q_len, k_len)) */
void attention_forward(const attention *a, REAL *out, REAL *lse)
{
    for (int64_t bh = 0; bh < a->batch * a->heads; bh++) {
        int64_t b = bh / a->heads, h = bh % a->heads;
        REAL *o = out + bh * a->q_len * a->v_dim, *l = lse + bh * attention_longer(a);
        if (HAS(softmax_over_queries)) attend_over_queries(a, b, h, o, l);
        else for (int64_t i = 0; i < a->q_len; i++) attend(a, b, h, i, o + i * a->v_dim, l + i);
    }
}
