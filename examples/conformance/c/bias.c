/* Part 3: the bias, a row of the table for each pair. pairs = Lq·Lk. */
#include "rpb.h"

/* table (R, H), index (Lq, Lk) -> out (H, Lq, Lk) */
void bias_forward(const REAL *table, const size_t *index, size_t heads, size_t pairs, REAL *out) {
    for (size_t h = 0; h < heads; h++)
        for (size_t ij = 0; ij < pairs; ij++) out[h * pairs + ij] = table[index[ij] * heads + h];
}

/* dout (H, Lq, Lk) -> dtable (R, H), which begins with 0: rows that occur twice add up. */
void bias_backward(const REAL *dout, const size_t *index, size_t heads, size_t pairs, REAL *dtable) {
    for (size_t h = 0; h < heads; h++)
        for (size_t ij = 0; ij < pairs; ij++) dtable[index[ij] * heads + h] += dout[h * pairs + ij];
}
