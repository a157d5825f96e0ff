/* Attention with relative position bias on the CPU, and the bugs that can be switched on in it. */

#ifndef ATTENTION_H
#define ATTENTION_H

#include <stdint.h>

#ifndef REAL
#define REAL float
#endif

#define KEYS 32   /* of a tile */
#define QUERIES 8 /* of a tile */

#define BUGS(X)                                                                                    \
    X(sign_flipped) X(axes_swapped) X(columns_first) X(stride_2w) X(stride_2w_minus_2) X(row_late) \
    X(row_early) X(not_shifted) X(shifted_by_size) X(prefix_swapped) X(prefix_rows_first)          \
    X(prefix_last) X(prefix_without_bias) X(index_transposed) X(scale_on_bias)                     \
    X(scale_on_bias_forward) X(scale_twice) X(scale_twice_forward) X(own_scale) X(no_bias)         \
    X(backward_without_bias) X(bias_in_base_two) X(no_mask) X(backward_without_mask)               \
    X(bias_after_mask) X(mask_of_infinity) X(mask_of_wrong_window) X(mask_of_first_window)         \
    X(heads_reversed) X(heads_shifted) X(heads_permuted) X(first_head) X(table_transposed)         \
    X(bias_not_permuted) X(program_decoded) X(scale_grows) X(softmax_over_queries) X(no_maximum)   \
    X(not_rescaled) X(sum_not_rescaled) X(keys_lost) X(padding_not_masked) X(first_tile_masked)    \
    X(no_delta) X(dq_without_scale) X(dk_without_scale) X(dk_scale_twice) X(queries_lost)          \
    X(dtable_stored) X(dtable_last_sample) X(dtable_summed_over_heads) X(dtable_averaged)          \
    X(dtable_bfloat16) X(dtable_keys_lost) X(dtable_queries_lost)

#define NUMBER(name) name,
enum bug { BUGS(NUMBER) BUG_COUNT };
#undef NUMBER
_Static_assert(BUG_COUNT <= 64, "the bugs are the bits of a word");

/* table is NULL without a bias, mask is NULL without a mask. Arrays are contiguous. */
typedef struct {
    int64_t batch, heads, q_len, k_len, dim, v_dim, rows;
    int64_t masks, mask_heads;                    /* mask: (masks, mask_heads, q_len, k_len) */
    int64_t known, qh, qw, kh, kw, prefix;        /* the window, if it is known */
    uint64_t bugs;
    double scale;
    const REAL *q, *k, *v, *table, *mask;
    const int64_t *index;                         /* (q_len, k_len) */
} attention;

#define HAS(bug) (a->bugs >> (bug) & 1)

/* The parts */
int64_t attention_row(const attention *a, int64_t i, int64_t j);
int64_t attention_place(const attention *a, int64_t b, int64_t h, int64_t i, int64_t j);
int64_t attention_whole(int64_t length, int64_t tile, int lost);
int64_t attention_owner(const attention *a, int64_t i, int64_t j);
int64_t attention_longer(const attention *a);
REAL attention_dot(const REAL *x, const REAL *y, int64_t n);
REAL attention_score(const attention *a, int64_t b, int64_t h, int64_t i, int64_t j, int backward);

/* The kernel */
void attention_forward(const attention *a, REAL *out, REAL *lse);
void attention_backward(const attention *a, const REAL *dout, const REAL *out, const REAL *lse,
                        REAL *dq, REAL *dk, REAL *dv, REAL *dtable);

#endif
