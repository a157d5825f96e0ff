/* Relative position bias in plain C11, written from docs/conformance.md. The numbers of parts ("part 4")
 * are those of that page. All arrays are row-major; a comment such as (B, H, Lq, d) is a shape.
 *
 * The kernels are compiled twice, with REAL as float and as double, so each of their names gets the type
 * as its ending: attention_forward is attention_forward_float or attention_forward_double. */
#ifndef RPB_H
#define RPB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef REAL
#define REAL double
#endif
#define JOIN_NAMES(name, type) name##_##type
#define JOIN(name, type) JOIN_NAMES(name, type)

enum { MAX_AXES = 5, MAX_RESULTS = 6, MAX_GRID_AXES = 3, NUM_KINDS = 10 };

/* memory.c: one line of error and exit 1; zeroed memory that is released together. */
_Noreturn void fail(const char *format, ...);
void *allocate(size_t count, size_t size);
void *allocated(void);          /* the newest allocation */
void release_to(void *earlier); /* frees what was allocated after it; NULL: everything */
unsigned char *read_file(const char *path,
                         size_t *size); /* ends with a 0 byte that size does not count */

/* json.c */
enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json {
    enum json_type type;
    double number;
    const char *string;
    const char *key;           /* if it is a member of an object */
    struct json *first, *next; /* the first child; the next sibling */
};
struct json *json_parse(const char *path, const char *text);
const struct json *json_find(const struct json *object, const char *key); /* NULL if absent */
const struct json *json_get(const struct json *object, const char *key, enum json_type type);
size_t json_size(const struct json *value); /* a number that is a size: a whole number from 0 */

/* sha256.c */
void sha256(const unsigned char *bytes, size_t size, char hexadecimal[65]);

/* safetensors.c */
struct tensor {
    const char *dtype; /* "F64", "F32", "F16", "BF16", "I64" */
    int axes;
    size_t shape[MAX_AXES];
    size_t count;
    double *values; /* of every dtype; a double holds all of them exactly */
};
struct safetensors {
    const char *path;
    const unsigned char *bytes, *data;
    size_t size, data_size;
    const struct json *header;
};
struct safetensors open_safetensors(const char *path);
const struct tensor *read_tensor(const struct safetensors *file, const char *name); /* NULL if absent */
int read_shape(const char *where, const struct json *shape, size_t out[MAX_AXES], size_t *count);

/* judge.c: the largest measure as a share of what is allowed; right if it is at most 1. */
struct rules {
    double float64, rounding;
};
double judge(const char *rule, struct rules rules, const double cost[3], size_t count,
             const double *result, const double *truth, const double *spread);

/* example.c: one case of the manifest ("case" is a word of C). */
struct result {
    const char *name;
    int axes;
    size_t shape[MAX_AXES];
    double *values;
};
struct example {
    const char *id, *kind, *dtype;
    const struct json *entry, *options;
    struct safetensors file;
    int num_results;
    struct result results[MAX_RESULTS];
};
double run_example(const char *folder, const struct json *entry, struct rules rules);
extern const char *const KINDS[NUM_KINDS]; /* those that are implemented */
bool implemented(const char *kind, const char *scheme);
const struct tensor *find_input(const struct example *example, const char *name); /* NULL if absent */
const struct tensor *get_tensor(const struct example *example, const char *name, int axes);
size_t *get_index(const struct example *example, size_t rows, size_t shape[2]);
size_t count_of(int axes, const size_t *shape); /* the product of the shape */
void require(const struct example *example, bool condition, const char *what);
void allow_options(const struct example *example, const char *names); /* separated by spaces */
int get_sizes(const struct example *example, const char *name,
              long out[MAX_GRID_AXES]); /* 0 if absent */
long get_whole(const struct example *example, const char *name, long otherwise);
bool get_flag(const struct example *example, const char *name, bool otherwise);
const char *get_word(const struct example *example, const char *name, const char *words,
                     const char *otherwise);
void give_values(struct example *example, const char *name, int axes, const size_t *shape,
                 double *values);

/* The windows of a map, down and across; count: how many. */
struct windows {
    long size[2], padded[2], window[2], shift[2], count[2];
};

/* geometry.c: runs shift, resize and index; false if the kind is another one. */
bool run_geometry(struct example *example);
void get_pair(const struct example *example, const char *name,
              long out[2]); /* a number stands for both */
struct windows windows_of(const struct example *example, const long size[2]);

/* kinds.c: runs the kinds that have kernels for float and double. */
#define run_kind JOIN(run_kind, REAL)
void run_kind_float(struct example *example);
void run_kind_double(struct example *example);

/* index.c: part 4. */
struct index_call {
    const char *scheme, *method;
    long window[MAX_GRID_AXES], q_size[MAX_GRID_AXES], k_size[MAX_GRID_AXES];
    int axes;                       /* of the grids */
    bool given;                     /* q_size and k_size are given */
    long prefix, q_offset;          /* num_prefix_tokens; the first query's position */
    long stride, halo_size;         /* levit; halo */
    long num_buckets, max_distance; /* t5; shaw has the latter too */
    bool bidirectional, causal;
};
int scheme_axes(const char *scheme); /* 0 if there is no such scheme */
const char *scheme_options(const char *scheme);
void complete_index_call(struct index_call *call);                /* the sizes that were not given */
void index_shape(const struct index_call *call, size_t shape[3]); /* (1 or 2, P + Lq, P + Lk) */
void index_rows(const struct index_call *call, long *index);

/* attention.c: part 2. mask_strides: elements from one b mod nW, h, i, j to the next; 0 where it
 * repeats. */
struct attention {
    size_t batch, heads, queries, keys, d, dv, rows; /* B, H, Lq, Lk, d, dv, R */
    const REAL *q, *k, *v, *table, *mask;            /* table and mask may be NULL */
    const size_t *index;                             /* (Lq, Lk) */
    size_t windows, mask_strides[4];                 /* nW */
    REAL scale;
};
#define attention_forward JOIN(attention_forward, REAL)
#define attention_backward JOIN(attention_backward, REAL)
void attention_forward(const struct attention *a, REAL *out, REAL *p);
void attention_backward(const struct attention *a, const REAL *dout, const REAL *p, REAL *dq, REAL *dk,
                        REAL *dv, REAL *dtable);

/* bias.c: part 3. */
#define bias_forward JOIN(bias_forward, REAL)
#define bias_backward JOIN(bias_backward, REAL)
void bias_forward(const REAL *table, const size_t *index, size_t heads, size_t pairs, REAL *out);
void bias_backward(const REAL *dout, const size_t *index, size_t heads, size_t pairs, REAL *dtable);

/* lookup.c: part 3, bias that looks at the query. */
struct lookup {
    size_t batch, heads, queries, keys, d, rows;
    bool shared;           /* one embedding for all heads */
    const REAL *embedding; /* (H or 1, R, d) */
    const size_t *index;   /* (Lq, Lk) */
};
#define score_lookup_forward JOIN(score_lookup_forward, REAL)
#define score_lookup_backward JOIN(score_lookup_backward, REAL)
#define value_lookup_forward JOIN(value_lookup_forward, REAL)
#define value_lookup_backward JOIN(value_lookup_backward, REAL)
void score_lookup_forward(const struct lookup *l, const REAL *q, REAL *out);
void score_lookup_backward(const struct lookup *l, const REAL *dout, const REAL *q, REAL *dq,
                           REAL *dembedding);
void value_lookup_forward(const struct lookup *l, const REAL *p, REAL *out);
void value_lookup_backward(const struct lookup *l, const REAL *dout, const REAL *p, REAL *dp,
                           REAL *dembedding);

/* cosine.c: part 3, one side of Swin V2's cosine attention. heads 0 stands for "no logit scale". */
struct rows {
    size_t batch, heads, tokens, d;
};
#define unit_forward JOIN(unit_forward, REAL)
#define unit_backward JOIN(unit_backward, REAL)
#define logit_scale_backward JOIN(logit_scale_backward, REAL)
void unit_forward(const struct rows *rows, const REAL *u, const REAL *logit_scale, REAL *out);
void unit_backward(const struct rows *rows, const REAL *dout, const REAL *u, const REAL *logit_scale,
                   REAL *du);
void logit_scale_backward(const struct rows *rows, const REAL *dout, const REAL *out,
                          const REAL *logit_scale, REAL *dlogit_scale);

/* windows.c: part 5. */
#define cut_windows JOIN(cut_windows, REAL)
struct windows cut_windows(const long size[2], const long window[2], const long shift[2]);
#define window_partition JOIN(window_partition, REAL)
#define window_reverse JOIN(window_reverse, REAL)
#define window_mask JOIN(window_mask, REAL)
void window_partition(const struct windows *w, size_t batch, size_t channels, const REAL *x, REAL *out);
void window_reverse(const struct windows *w, size_t batch, size_t channels, const REAL *cut,
                    const REAL *residual, REAL *out);
bool window_mask(const struct windows *w, REAL *mask); /* false: nothing is shifted, there is no mask */

/* resize.c: part 6. n: offsets along each axis of the table, m: of the new one. */
struct resizing {
    int axes;
    size_t n[MAX_GRID_AXES], m[MAX_GRID_AXES], prefix_rows, heads;
    const char *method;
};
void resize_forward(const struct resizing *r, const double *table, double *out);
void resize_backward(const struct resizing *r, const double *dout, double *dtable);

#endif
