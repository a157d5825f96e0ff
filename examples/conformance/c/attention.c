/* Part 2: attention and its gradients. One query of one head at a time, so that a row of scores is all
 * that the softmax needs. */
#include "rpb.h"

#include <tgmath.h>

static REAL dot(const REAL *x, const REAL *y, size_t n) {
    REAL sum = 0;
    for (size_t c = 0; c < n; c++) sum += x[c] * y[c];
    return sum;
}

static void add_scaled(REAL *to, REAL factor, const REAL *x, size_t n) {
    for (size_t c = 0; c < n; c++) to[c] += factor * x[c];
}

/* s (Lk): the scores of query i. The scale is a factor of q·k only. */
static void scores(const struct attention *a, size_t b, size_t h, size_t i, REAL *s) {
    size_t head = b * a->heads + h;
    const REAL *q = a->q + (head * a->queries + i) * a->d; /* (d) */
    const REAL *k = a->k + head * a->keys * a->d;          /* (Lk, d) */
    for (size_t j = 0; j < a->keys; j++) {
        s[j] = a->scale * dot(q, k + j * a->d, a->d);
        if (a->table != NULL) s[j] += a->table[a->index[i * a->keys + j] * a->heads + h];
        if (a->mask != NULL)
            s[j] += a->mask[b % a->windows * a->mask_strides[0] + h * a->mask_strides[1] +
                            i * a->mask_strides[2] + j * a->mask_strides[3]];
    }
}

/* Turn the scores of one query into probabilities, in place. */
static void softmax(REAL *s, size_t n) {
    REAL largest = -INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++) largest = s[j] > largest ? s[j] : largest;
    for (size_t j = 0; j < n; j++) sum += s[j] = exp(s[j] - largest);
    for (size_t j = 0; j < n; j++) s[j] /= sum;
}

/* out (B, H, Lq, dv) and p (B, H, Lq, Lk), which backward needs. */
void attention_forward(const struct attention *a, REAL *out, REAL *p) {
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < a->heads; h++)
            for (size_t i = 0; i < a->queries; i++) {
                size_t head = b * a->heads + h, row = head * a->queries + i;
                REAL *p_i = p + row * a->keys;
                scores(a, b, h, i, p_i);             /* pass 1: S */
                softmax(p_i, a->keys);               /* pass 2: P */
                for (size_t j = 0; j < a->keys; j++) /* pass 3: out = P v */
                    add_scaled(out + row * a->dv, p_i[j], a->v + (head * a->keys + j) * a->dv, a->dv);
            }
}

/* dq, dk, dv have the shapes of q, k, v; dtable (R, H), or NULL. All are added to: they begin with 0. */
void attention_backward(const struct attention *a, const REAL *dout, const REAL *p, REAL *dq, REAL *dk,
                        REAL *dv, REAL *dtable) {
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < a->heads; h++)
            for (size_t i = 0; i < a->queries; i++) {
                size_t head = b * a->heads + h, row = head * a->queries + i;
                const REAL *dout_i = dout + row * a->dv, *p_i = p + row * a->keys;
                REAL delta = 0; /* Σ_j P dP */
                for (size_t j = 0; j < a->keys; j++)
                    delta += p_i[j] * dot(dout_i, a->v + (head * a->keys + j) * a->dv, a->dv);
                for (size_t j = 0; j < a->keys; j++) {
                    size_t key = head * a->keys + j;
                    REAL dp = dot(dout_i, a->v + key * a->dv, a->dv);
                    REAL ds = p_i[j] * (dp - delta);
                    add_scaled(dv + key * a->dv, p_i[j], dout_i, a->dv);
                    add_scaled(dq + row * a->d, a->scale * ds, a->k + key * a->d, a->d);
                    add_scaled(dk + key * a->d, a->scale * ds, a->q + row * a->d, a->d);
                    if (dtable != NULL) dtable[a->index[i * a->keys + j] * a->heads + h] += ds;
                }
            }
}
