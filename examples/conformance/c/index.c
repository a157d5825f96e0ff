/* Part 4: the row of the table that each pair of tokens reads, for every scheme. Integers only. */
#include "rpb.h"

#include <stdlib.h>
#include <string.h>

/* The row that a query and a key read; table: 0, or 1 for the second of two tables. */
typedef long row_function(const struct index_call *call, const long *query, const long *key, int table);

static bool is(const char *name, const char *other) { return strcmp(name, other) == 0; }

static long product(const long *sizes, int axes) {
    long result = 1;
    for (int axis = 0; axis < axes; axis++) result *= sizes[axis];
    return result;
}

/* "1d", "2d", "3d", "maxvit": the offset in the window. */
static long offset_row(const struct index_call *call, const long *query, const long *key, int table) {
    long row = 0;
    (void)table;
    for (int axis = 0; axis < call->axes; axis++) {
        long size = call->window[axis];
        row = row * (2 * size - 1) + call->q_offset + query[axis] - key[axis] + size - 1;
    }
    return row;
}

/* Schemes that compute the bias: the offset between the two grids. */
static long grids_row(const struct index_call *call, const long *query, const long *key, int table) {
    long row = 0;
    (void)table;
    for (int axis = 0; axis < call->axes; axis++) {
        long q = call->q_size[axis], k = call->k_size[axis];
        row = row * (q + k - 1) + query[axis] - key[axis] + k - 1;
    }
    return row;
}

/* A number that is too large for 64 bits: base 2^32, the lowest digit first. */
struct large {
    size_t count;
    uint32_t *digits;
};

static void multiply(struct large *x, uint32_t factor) {
    uint64_t carry = 0;
    for (size_t i = 0; i < x->count; i++) {
        carry += (uint64_t)x->digits[i] * factor;
        x->digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* a^n · b^(m − n) */
static struct large powers(uint32_t a, long n, uint32_t b, long m) {
    struct large x = {(size_t)m + 1, allocate((size_t)m + 1, sizeof(uint32_t))};
    x.digits[0] = 1;
    for (long i = 0; i < m; i++) multiply(&x, i < n ? a : b);
    return x;
}

static bool at_least(struct large x, struct large y) {
    for (size_t i = x.count; i-- > 0;)
        if (x.digits[i] != y.digits[i]) return x.digits[i] > y.digits[i];
    return true;
}

/* The largest n in 0 … m − 1 with d^m ≥ D^n · m^(m − n). */
static long t5_steps(long d, long largest, long m) {
    void *earlier = allocated();
    struct large power = powers((uint32_t)d, m, 0, m);
    long n = 0;
    while (n < m - 1 && at_least(power, powers((uint32_t)largest, n + 1, (uint32_t)m, m))) n++;
    release_to(earlier);
    return n;
}

static long t5_row(const struct index_call *call, const long *query, const long *key, int table) {
    long offset = call->q_offset + query[0] - key[0];
    long side = call->bidirectional ? call->num_buckets / 2 : call->num_buckets;
    long first = call->bidirectional && offset < 0 ? side : 0;
    long distance = call->bidirectional ? labs(offset) : offset > 0 ? offset : 0;
    (void)table;
    long m = side / 2, d = distance < call->max_distance ? distance : call->max_distance;
    return first + (d < m ? d : m + t5_steps(d, call->max_distance, m));
}

static long levit_row(const struct index_call *call, const long *query, const long *key, int table) {
    long dy = labs(call->stride * query[0] - key[0]), dx = labs(call->stride * query[1] - key[1]);
    (void)table;
    return dy * call->window[1] + dx;
}

static long shaw_row(const struct index_call *call, const long *query, const long *key, int table) {
    long m = call->max_distance, offset = call->q_offset + query[0] - key[0];
    (void)table;
    return (offset < -m ? -m : offset > m ? m : offset) + m;
}

static long halo_row(const struct index_call *call, const long *query, const long *key, int axis) {
    return query[axis] + call->halo_size - key[axis] + call->window[axis] - 1;
}

static long decomposed_row(const struct index_call *call, const long *query, const long *key, int axis) {
    long q = call->q_size[axis], k = call->k_size[axis];
    return (query[axis] * k - key[axis] * q + (k - 1) * q) * (q > k ? q : k) / (q * k);
}

enum { IRPE_LAST = 3, IRPE_SIDE = 2 * IRPE_LAST + 1 };

/* The bucket of x for the ratio 1.9, counted from 0: g(x) + last. */
static long irpe_bucket(long x) {
    static const long g[] = {0, 1, 2, 2, 3};
    long bucket = g[labs(x) < 4 ? labs(x) : 4];
    return (x < 0 ? -bucket : bucket) + IRPE_LAST;
}

static long rounded_root(long s) {
    long r = 0;
    while ((r + 1) * (r + 1) <= s) r++;
    return s > r * r + r ? r + 1 : r;
}

static long irpe_row(const struct index_call *call, const long *query, const long *key, int table) {
    long dy = query[0] - key[0], dx = query[1] - key[1];
    if (is(call->method, "euclidean")) return irpe_bucket(rounded_root(dy * dy + dx * dx));
    if (is(call->method, "quant")) return irpe_bucket(dy * dy + dx * dx);
    if (is(call->method, "product")) return irpe_bucket(dy) * IRPE_SIDE + irpe_bucket(dx);
    return irpe_bucket(table == 0 ? dy : dx); /* "cross" */
}

/* What prefix pairs read: rows R, R + 1, R + 2; or R for all; with `causal` R + 1 where the query is
 * one. */
enum prefix { THREE_ROWS, ONE_ROW, CAUSAL };

static const struct scheme {
    const char *name;
    int axes;
    row_function *row;
    enum prefix prefix;
    const char *options;
} SCHEMES[] = {
    {"1d", 1, offset_row, THREE_ROWS, ""},
    {"2d", 2, offset_row, THREE_ROWS, ""},
    {"3d", 3, offset_row, THREE_ROWS, ""},
    {"maxvit", 2, offset_row, ONE_ROW, ""},
    {"levit", 2, levit_row, THREE_ROWS, "stride"},
    {"t5", 1, t5_row, ONE_ROW, "num_buckets max_distance bidirectional"},
    {"gated_t5", 1, t5_row, ONE_ROW, "num_buckets max_distance bidirectional"},
    {"shaw", 1, shaw_row, ONE_ROW, "max_distance"},
    {"halo", 2, halo_row, ONE_ROW, "halo_size"},
    {"decomposed", 2, decomposed_row, ONE_ROW, ""},
    {"irpe", 2, irpe_row, ONE_ROW, "method"},
    {"irpe_bias", 2, irpe_row, ONE_ROW, "method"},
    {"log_cpb", 2, grids_row, ONE_ROW, ""},
    {"rel_pos_mlp", 2, grids_row, ONE_ROW, ""},
    {"dynamic", 2, grids_row, ONE_ROW, ""},
    {"alibi2d", 2, grids_row, ONE_ROW, ""},
    {"dynamic_1d", 1, grids_row, ONE_ROW, ""},
    {"transformer_xl", 1, grids_row, ONE_ROW, ""},
    {"alibi", 1, grids_row, CAUSAL, "causal"},
    {"kerple", 1, grids_row, CAUSAL, "causal"},
    {"sandwich", 1, grids_row, CAUSAL, "causal"},
};

static const struct scheme *find_scheme(const char *name) {
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++)
        if (is(SCHEMES[i].name, name)) return SCHEMES + i;
    return NULL;
}

int scheme_axes(const char *scheme) {
    return find_scheme(scheme) == NULL ? 0 : find_scheme(scheme)->axes;
}
const char *scheme_options(const char *scheme) { return find_scheme(scheme)->options; }

static int num_tables(const struct index_call *call) {
    row_function *row = find_scheme(call->scheme)->row;
    return row == halo_row || row == decomposed_row || (row == irpe_row && is(call->method, "cross"))
               ? 2
               : 1;
}

/* R, the rows of a table without those of prefix tokens. */
static long num_rows(const struct index_call *call, int table) {
    row_function *row = find_scheme(call->scheme)->row;
    long rows = 1;
    if (row == levit_row) return product(call->window, 2);
    if (row == t5_row) return call->num_buckets;
    if (row == shaw_row) return 2 * call->max_distance + 1;
    if (row == halo_row || row == decomposed_row) return 2 * call->window[table] - 1;
    if (row == irpe_row) return is(call->method, "product") ? IRPE_SIDE * IRPE_SIDE : IRPE_SIDE;
    for (int axis = 0; axis < call->axes; axis++)
        rows *=
            row == grids_row ? call->q_size[axis] + call->k_size[axis] - 1 : 2 * call->window[axis] - 1;
    return rows;
}

void complete_index_call(struct index_call *call) {
    call->axes = scheme_axes(call->scheme);
    for (int axis = 0; axis < call->axes && !call->given; axis++) {
        call->k_size[axis] = call->window[axis];
        call->q_size[axis] =
            (call->window[axis] - 2 * call->halo_size + call->stride - 1) / call->stride;
    }
}

void index_shape(const struct index_call *call, size_t shape[3]) {
    shape[0] = (size_t)num_tables(call);
    shape[1] = (size_t)(call->prefix + product(call->q_size, call->axes));
    shape[2] = (size_t)(call->prefix + product(call->k_size, call->axes));
}

/* The coordinates of a cell, row-major: the last axis moves fastest. */
static void place(long cell, const long *size, int axes, long *out) {
    for (int axis = axes; axis-- > 0; cell /= size[axis]) out[axis] = cell % size[axis];
}

static long prefix_row(const struct index_call *call, long rows, bool query, bool key) {
    enum prefix prefix = find_scheme(call->scheme)->prefix;
    if (prefix == THREE_ROWS) return rows + (query && key ? 2 : key ? 1 : 0);
    return rows + (prefix == CAUSAL && call->causal && query && !key ? 1 : 0);
}

/* index (1 or 2, P + Lq, P + Lk) */
void index_rows(const struct index_call *call, long *index) {
    row_function *row = find_scheme(call->scheme)->row;
    size_t shape[3];
    index_shape(call, shape);
    for (int table = 0; table < (int)shape[0]; table++) {
        long rows = num_rows(call, table);
        /* iRPE's two halves are one table; each has its own prefix row. */
        long first = row == irpe_row && table == 1 ? rows + (call->prefix > 0) : 0;
        for (long i = 0; i < (long)shape[1]; i++)
            for (long j = 0; j < (long)shape[2]; j++) {
                long query[MAX_GRID_AXES], key[MAX_GRID_AXES];
                bool grid = i >= call->prefix && j >= call->prefix;
                place(i - call->prefix, call->q_size, call->axes, query);
                place(j - call->prefix, call->k_size, call->axes, key);
                *index++ = first + (grid ? row(call, query, key, table)
                                         : prefix_row(call, rows, i < call->prefix, j < call->prefix));
            }
    }
}
