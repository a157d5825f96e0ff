/* Part 3: tables of vectors, which are multiplied with the query or added to the value. */
#include "rpb.h"

/* The place of the vector (d) that the pair (i, j) of head h reads. */
static size_t vector_of(const struct lookup *l, size_t h, size_t i, size_t j) {
    return ((l->shared ? 0 : h) * l->rows + l->index[i * l->keys + j]) * l->d;
}

/* q (B, H, Lq, d) -> out (B, H, Lq, Lk): out[i, j] = Σ_c q[i, c] e[index[i, j], c] */
void score_lookup_forward(const struct lookup *l, const REAL *q, REAL *out) {
    for (size_t bh = 0; bh < l->batch * l->heads; bh++)
        for (size_t i = 0; i < l->queries; i++)
            for (size_t j = 0; j < l->keys; j++) {
                const REAL *q_i = q + (bh * l->queries + i) * l->d;
                const REAL *e = l->embedding + vector_of(l, bh % l->heads, i, j);
                for (size_t c = 0; c < l->d; c++)
                    out[(bh * l->queries + i) * l->keys + j] += q_i[c] * e[c];
            }
}

/* dq has the shape of q, dembedding that of the embedding; both begin with 0. */
void score_lookup_backward(const struct lookup *l, const REAL *dout, const REAL *q, REAL *dq,
                           REAL *dembedding) {
    for (size_t bh = 0; bh < l->batch * l->heads; bh++)
        for (size_t i = 0; i < l->queries; i++)
            for (size_t j = 0; j < l->keys; j++) {
                size_t row = bh * l->queries + i, e = vector_of(l, bh % l->heads, i, j);
                REAL d = dout[row * l->keys + j];
                for (size_t c = 0; c < l->d; c++) {
                    dq[row * l->d + c] += d * l->embedding[e + c];
                    dembedding[e + c] += d * q[row * l->d + c];
                }
            }
}

/* p (B, H, Lq, Lk) -> out (B, H, Lq, d): out[i] = Σ_j p[i, j] e[index[i, j]] */
void value_lookup_forward(const struct lookup *l, const REAL *p, REAL *out) {
    for (size_t bh = 0; bh < l->batch * l->heads; bh++)
        for (size_t i = 0; i < l->queries; i++)
            for (size_t j = 0; j < l->keys; j++) {
                size_t row = bh * l->queries + i;
                const REAL *e = l->embedding + vector_of(l, bh % l->heads, i, j);
                for (size_t c = 0; c < l->d; c++) out[row * l->d + c] += p[row * l->keys + j] * e[c];
            }
}

/* dp has the shape of p, dembedding that of the embedding; both begin with 0. */
void value_lookup_backward(const struct lookup *l, const REAL *dout, const REAL *p, REAL *dp,
                           REAL *dembedding) {
    for (size_t bh = 0; bh < l->batch * l->heads; bh++)
        for (size_t i = 0; i < l->queries; i++)
            for (size_t j = 0; j < l->keys; j++) {
                size_t row = bh * l->queries + i, e = vector_of(l, bh % l->heads, i, j);
                const REAL *dout_i = dout + row * l->d;
                for (size_t c = 0; c < l->d; c++) {
                    dp[row * l->keys + j] += dout_i[c] * l->embedding[e + c];
                    dembedding[e + c] += p[row * l->keys + j] * dout_i[c];
                }
            }
}
