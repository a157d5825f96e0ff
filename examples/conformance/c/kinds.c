/* Part 7: the arguments of each kind from the file, its kernels, and its results. */
#include "rpb.h"

#include <math.h>
#include <string.h>

static REAL *zeros(size_t count) { return allocate(count, sizeof(REAL)); }

/* The values in REAL, which holds them exactly. */
static REAL *reals(const struct tensor *tensor) {
    REAL *values = zeros(tensor->count);
    for (size_t i = 0; i < tensor->count; i++) values[i] = (REAL)tensor->values[i];
    return values;
}

static const struct tensor *input(const struct example *e, const char *name, int axes) {
    const struct tensor *tensor = find_input(e, name);
    require(e, tensor != NULL && tensor->axes == axes,
            "an argument is missing or has not its number of axes");
    return tensor;
}

/* dout, with the shape of the result that it belongs to. */
static const REAL *cotangent(const struct example *e, const char *name, int axes, const size_t *shape) {
    const struct tensor *tensor = get_tensor(e, name, axes);
    require(e, memcmp(shape, tensor->shape, (size_t)axes * sizeof *shape) == 0,
            "the cotangent has not the shape of the result");
    return reals(tensor);
}

static void give(struct example *e, const char *name, int axes, const size_t *shape,
                 const REAL *values) {
    size_t count = count_of(axes, shape);
    double *doubles = allocate(count, sizeof(double));
    for (size_t i = 0; i < count; i++) doubles[i] = values[i];
    give_values(e, name, axes, shape, doubles);
}

/* NumPy's broadcasting to (B, H, Lq, Lk): axes aligned at the right end, length 1 repeats. */
static void set_mask(const struct example *e, struct attention *a, const struct tensor *mask) {
    const size_t full[4] = {a->batch, a->heads, a->queries, a->keys};
    size_t stride = 1;
    require(e, mask->axes <= 4, "the mask has more than four axes");
    a->mask = reals(mask);
    a->windows = mask->axes == 4 ? mask->shape[0] : 1;
    require(e, a->windows > 0 && a->batch % a->windows == 0,
            "the mask's windows do not divide the batch");
    for (int axis = 3; axis >= 4 - mask->axes; axis--) {
        size_t length = mask->shape[axis - 4 + mask->axes];
        require(e, axis == 0 || length == 1 || length == full[axis], "the mask does not broadcast");
        a->mask_strides[axis] = length == 1 ? 0 : stride;
        stride *= length;
    }
}

static void set_table(const struct example *e, struct attention *a) {
    const struct tensor *table = input(e, "table", 2);
    size_t shape[2];
    a->table = reals(table);
    a->rows = table->shape[0];
    a->index = get_index(e, a->rows, shape);
    require(e, table->shape[1] == a->heads && shape[0] == a->queries && shape[1] == a->keys,
            "the table or the index has not the shape that q and k need");
}

static struct attention attention_of(const struct example *e) {
    const struct tensor *q = input(e, "q", 4), *k = input(e, "k", 4), *v = input(e, "v", 4);
    struct attention a = {.batch = q->shape[0],
                          .heads = q->shape[1],
                          .queries = q->shape[2],
                          .keys = k->shape[2],
                          .d = q->shape[3],
                          .dv = v->shape[3]};
    require(e,
            memcmp(q->shape, k->shape, 2 * sizeof(size_t)) == 0 && k->shape[3] == a.d &&
                memcmp(k->shape, v->shape, 3 * sizeof(size_t)) == 0 && a.keys > 0 && a.d > 0,
            "q, k and v have shapes that do not belong together");
    a.q = reals(q), a.k = reals(k), a.v = reals(v);
    bool scaled = json_find(e->options, "scale") != NULL; /* 0 is a scale */
    a.scale =
        (REAL)(scaled ? json_get(e->options, "scale", JSON_NUMBER)->number : 1 / sqrt((double)a.d));
    if (find_input(e, "mask") != NULL) set_mask(e, &a, find_input(e, "mask"));
    if (find_input(e, "table") != NULL) set_table(e, &a);
    return a;
}

static void run_attention(struct example *e) {
    allow_options(e, "scale");
    struct attention a = attention_of(e);
    size_t queries[4] = {a.batch, a.heads, a.queries, a.d}, keys[4] = {a.batch, a.heads, a.keys, a.d};
    size_t values[4] = {a.batch, a.heads, a.keys, a.dv}, outs[4] = {a.batch, a.heads, a.queries, a.dv};
    REAL *p = zeros(a.batch * a.heads * a.queries * a.keys), *out = zeros(count_of(4, outs));
    attention_forward(&a, out, p);
    REAL *dq = zeros(count_of(4, queries)), *dk = zeros(count_of(4, keys)),
         *dv = zeros(count_of(4, values));
    REAL *dtable = a.table == NULL ? NULL : zeros(a.rows * a.heads);
    attention_backward(&a, cotangent(e, "cotangent.out", 4, outs), p, dq, dk, dv, dtable);
    give(e, "out", 4, outs, out);
    give(e, "dq", 4, queries, dq);
    give(e, "dk", 4, keys, dk);
    give(e, "dv", 4, values, dv);
    if (dtable != NULL) give(e, "dtable", 2, (size_t[]){a.rows, a.heads}, dtable);
}

static void run_bias(struct example *e) {
    allow_options(e, "");
    const struct tensor *table = input(e, "table", 2);
    size_t shape[3] = {table->shape[1]}, *index = get_index(e, table->shape[0], shape + 1);
    size_t heads = shape[0], pairs = shape[1] * shape[2];
    REAL *out = zeros(heads * pairs), *dtable = zeros(table->count);
    bias_forward(reals(table), index, heads, pairs, out);
    bias_backward(cotangent(e, "cotangent.out", 3, shape), index, heads, pairs, dtable);
    give(e, "out", 3, shape, out);
    give(e, "dtable", 2, table->shape, dtable);
}

/* of: q or p, whose first three axes are B, H, Lq. */
static struct lookup lookup_of(const struct example *e, const struct tensor *of) {
    const struct tensor *embedding = input(e, "embedding", 3);
    size_t shape[2];
    struct lookup l = {.batch = of->shape[0],
                       .heads = of->shape[1],
                       .queries = of->shape[2],
                       .d = embedding->shape[2],
                       .rows = embedding->shape[1],
                       .shared = embedding->shape[0] == 1,
                       .embedding = reals(embedding)};
    l.index = get_index(e, l.rows, shape);
    l.keys = shape[1];
    require(e, shape[0] == l.queries && (l.shared || embedding->shape[0] == l.heads),
            "the index or the embedding has not the shape that the other argument needs");
    return l;
}

static void run_score_lookup(struct example *e) {
    allow_options(e, "");
    const struct tensor *q = input(e, "q", 4), *embedding = input(e, "embedding", 3);
    struct lookup l = lookup_of(e, q);
    require(e, q->shape[3] == l.d, "q and the embedding have different channels");
    size_t shape[4] = {l.batch, l.heads, l.queries, l.keys};
    REAL *out = zeros(count_of(4, shape)), *dq = zeros(q->count), *dembedding = zeros(embedding->count);
    score_lookup_forward(&l, reals(q), out);
    score_lookup_backward(&l, cotangent(e, "cotangent.out", 4, shape), reals(q), dq, dembedding);
    give(e, "out", 4, shape, out);
    give(e, "dq", 4, q->shape, dq);
    give(e, "dembedding", 3, embedding->shape, dembedding);
}

static void run_value_lookup(struct example *e) {
    allow_options(e, "");
    const struct tensor *p = input(e, "p", 4), *embedding = input(e, "embedding", 3);
    struct lookup l = lookup_of(e, p);
    require(e, p->shape[3] == l.keys, "p and the index have different keys");
    size_t shape[4] = {l.batch, l.heads, l.queries, l.d};
    REAL *out = zeros(count_of(4, shape)), *dp = zeros(p->count), *dembedding = zeros(embedding->count);
    value_lookup_forward(&l, reals(p), out);
    value_lookup_backward(&l, cotangent(e, "cotangent.out", 4, shape), reals(p), dp, dembedding);
    give(e, "out", 4, shape, out);
    give(e, "dp", 4, p->shape, dp);
    give(e, "dembedding", 3, embedding->shape, dembedding);
}

static void run_cosine(struct example *e) {
    allow_options(e, "");
    const struct tensor *q = input(e, "q", 4), *k = input(e, "k", 4),
                        *scale = input(e, "logit_scale", 3);
    struct rows of_q = {q->shape[0], q->shape[1], q->shape[2], q->shape[3]};
    struct rows of_k = {k->shape[0], k->shape[1], k->shape[2], k->shape[3]};
    require(e, scale->count == of_q.heads, "logit_scale has not a number per head");
    const REAL *logit_scale = reals(scale);
    const REAL *dout_q = cotangent(e, "cotangent.out.0", 4, q->shape);
    const REAL *dout_k = cotangent(e, "cotangent.out.1", 4, k->shape);
    REAL *out_q = zeros(q->count), *out_k = zeros(k->count), *dq = zeros(q->count),
         *dk = zeros(k->count);
    REAL *dlogit_scale = zeros(scale->count);
    unit_forward(&of_q, reals(q), logit_scale, out_q);
    unit_forward(&of_k, reals(k), NULL, out_k);
    unit_backward(&of_q, dout_q, reals(q), logit_scale, dq);
    unit_backward(&of_k, dout_k, reals(k), NULL, dk);
    logit_scale_backward(&of_q, dout_q, out_q, logit_scale, dlogit_scale);
    give(e, "out.0", 4, q->shape, out_q);
    give(e, "out.1", 4, k->shape, out_k);
    give(e, "dq", 4, q->shape, dq);
    give(e, "dk", 4, k->shape, dk);
    give(e, "dlogit_scale", 3, scale->shape, dlogit_scale);
}

static void run_windows(struct example *e) {
    allow_options(e, "window_size shift_size");
    const struct tensor *x = input(e, "x", 4);
    struct windows w = windows_of(e, (long[]){(long)x->shape[1], (long)x->shape[2]});
    size_t batch = x->shape[0], channels = x->shape[3];
    size_t count = (size_t)(w.count[0] * w.count[1]), tokens = (size_t)(w.window[0] * w.window[1]);
    size_t shape[3] = {batch * count, tokens, channels};
    REAL *out = zeros(count_of(3, shape)), *dx = zeros(x->count);
    window_partition(&w, batch, channels, reals(x), out);
    window_reverse(&w, batch, channels, cotangent(e, "cotangent.out", 3, shape), NULL, dx);
    give(e, "out", 3, shape, out);
    give(e, "dx", 4, x->shape, dx);
}

static void run_reverse(struct example *e) {
    allow_options(e, "size window_size shift_size");
    const struct tensor *cut = input(e, "windows", 3), *residual = find_input(e, "residual");
    long size[2];
    get_pair(e, "size", size);
    struct windows w = windows_of(e, size);
    size_t count = (size_t)(w.count[0] * w.count[1]), batch = cut->shape[0] / count;
    size_t shape[4] = {batch, (size_t)size[0], (size_t)size[1], cut->shape[2]};
    require(e, cut->shape[0] == batch * count && cut->shape[1] == (size_t)(w.window[0] * w.window[1]),
            "the windows do not belong to the size");
    require(e,
            residual == NULL ||
                (residual->axes == 4 && memcmp(residual->shape, shape, sizeof shape) == 0),
            "the residual has not the shape of the map");
    const REAL *dout = cotangent(e, "cotangent.out", 4, shape);
    REAL *out = zeros(count_of(4, shape)), *dwindows = zeros(cut->count);
    window_reverse(&w, batch, shape[3], reals(cut), residual == NULL ? NULL : reals(residual), out);
    window_partition(&w, batch, shape[3], dout, dwindows);
    give(e, "out", 4, shape, out);
    give(e, "dwindows", 3, cut->shape, dwindows);
    if (residual != NULL) give(e, "dresidual", 4, shape, dout);
}

void run_kind(struct example *e) {
    static const struct {
        const char *kind;
        void (*run)(struct example *);
    } runs[] = {
        {"attention", run_attention},       {"bias", run_bias},     {"score_lookup", run_score_lookup},
        {"value_lookup", run_value_lookup}, {"cosine", run_cosine}, {"windows", run_windows},
        {"reverse", run_reverse},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        if (strcmp(runs[i].kind, e->kind) == 0) runs[i].run(e);
}
