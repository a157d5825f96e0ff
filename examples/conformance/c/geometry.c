/* Part 7: the arguments and results of the kinds that have no kernel for float and double: shift and
 * index are integers, resize computes in double. */
#include "rpb.h"

#include <string.h>

/* A pair of sizes; a number stands for both. */
void get_pair(const struct example *e, const char *name, long out[2]) {
    long sizes[MAX_GRID_AXES] = {0};
    int count = get_sizes(e, name, sizes);
    require(e, count <= 2, "a size has more than two axes");
    out[0] = sizes[0];
    out[1] = sizes[count == 2 ? 1 : 0];
}

struct windows windows_of(const struct example *e, const long size[2]) {
    long window[2], shift[2];
    get_pair(e, "window_size", window);
    get_pair(e, "shift_size", shift);
    for (int axis = 0; axis < 2; axis++)
        require(e, size[axis] > 0 && window[axis] > 0 && shift[axis] >= 0 && shift[axis] < window[axis],
                "a size is not positive, or the shift is not below the window");
    return cut_windows(size, window, shift);
}

static void run_shift(struct example *e) {
    allow_options(e, "size window_size shift_size");
    long size[2];
    get_pair(e, "size", size);
    struct windows w = windows_of(e, size);
    size_t tokens = (size_t)(w.window[0] * w.window[1]);
    size_t shape[4] = {(size_t)(w.count[0] * w.count[1]), 1, tokens, tokens};
    double *mask = allocate(count_of(4, shape), sizeof *mask);
    if (window_mask(&w, mask)) give_values(e, "out", 4, shape, mask);
}

/* Results are computed in double and rounded to the case's precision at the end. */
static void round_once(const struct example *e, double *values, size_t count) {
    for (size_t i = 0; i < count && strcmp(e->dtype, "float64") != 0; i++) values[i] = (float)values[i];
}

static void run_resize(struct example *e) {
    allow_options(e, "window_size new_window_size method num_prefix_tokens");
    const struct tensor *table = find_input(e, "table");
    require(e, table != NULL && table->axes == 2, "there is no table of two axes");
    long window[MAX_GRID_AXES], new_window[MAX_GRID_AXES];
    struct resizing r = {.axes = get_sizes(e, "window_size", window),
                         .heads = table->shape[1],
                         .prefix_rows = get_whole(e, "num_prefix_tokens", 0) > 0 ? 3 : 0,
                         .method = get_word(e, "method", "bicubic linear geometric", "bicubic")};
    require(e, r.axes > 0 && get_sizes(e, "new_window_size", new_window) == r.axes,
            "the windows differ in axes");
    for (int axis = 0; axis < r.axes; axis++) {
        require(e, window[axis] > 0 && new_window[axis] > 0, "a window is not positive");
        r.n[axis] = (size_t)(2 * window[axis] - 1);
        r.m[axis] = (size_t)(2 * new_window[axis] - 1);
    }
    require(e, table->shape[0] == count_of(r.axes, r.n) + r.prefix_rows,
            "the table does not belong to the window");
    size_t shape[2] = {count_of(r.axes, r.m) + r.prefix_rows, r.heads};
    double *out = allocate(count_of(2, shape), sizeof *out),
           *dtable = allocate(table->count, sizeof *dtable);
    const struct tensor *dout = get_tensor(e, "cotangent.out", 2);
    require(e, memcmp(dout->shape, shape, sizeof shape) == 0,
            "the cotangent has not the shape of the result");
    resize_forward(&r, table->values, out);
    resize_backward(&r, dout->values, dtable);
    round_once(e, out, count_of(2, shape));
    round_once(e, dtable, table->count);
    give_values(e, "out", 2, shape, out);
    give_values(e, "dtable", 2, table->shape, dtable);
}

static struct index_call index_call_of(const struct example *e, const char *scheme) {
    char names[128] = "window_size q_size k_size num_prefix_tokens q_offset ";
    bool shaw = strcmp(scheme, "shaw") == 0;
    allow_options(e, strcat(names, scheme_options(scheme)));
    struct index_call call = {.scheme = scheme,
                              .method =
                                  get_word(e, "method", "euclidean quant product cross", "product"),
                              .prefix = get_whole(e, "num_prefix_tokens", 0),
                              .q_offset = get_whole(e, "q_offset", 0),
                              .stride = get_whole(e, "stride", 1),
                              .halo_size = get_whole(e, "halo_size", 0),
                              .num_buckets = get_whole(e, "num_buckets", 32),
                              .max_distance = get_whole(e, "max_distance", shaw ? 16 : 128),
                              .bidirectional = get_flag(e, "bidirectional", true),
                              .causal = get_flag(e, "causal", false)};
    int q_axes = get_sizes(e, "q_size", call.q_size), axes = scheme_axes(scheme);
    call.given = q_axes > 0;
    require(e,
            get_sizes(e, "window_size", call.window) == axes && (q_axes == 0 || q_axes == axes) &&
                get_sizes(e, "k_size", call.k_size) == q_axes,
            "a grid has not the axes of the scheme");
    require(e,
            call.prefix >= 0 && call.stride > 0 && call.num_buckets > 3 && call.max_distance > 0 &&
                call.halo_size >= 0,
            "an option is too small");
    complete_index_call(&call);
    for (int axis = 0; axis < axes; axis++)
        require(e, call.window[axis] > 0 && call.q_size[axis] > 0 && call.k_size[axis] > 0,
                "a size is not positive");
    return call;
}

static void run_index(struct example *e) {
    struct index_call call = index_call_of(e, json_get(e->entry, "scheme", JSON_STRING)->string);
    size_t shape[3];
    index_shape(&call, shape);
    size_t count = count_of(3, shape);
    long *index = allocate(count, sizeof *index);
    double *out = allocate(count, sizeof *out);
    index_rows(&call, index);
    for (size_t i = 0; i < count; i++) out[i] = (double)index[i];
    give_values(e, "out", shape[0] == 1 ? 2 : 3, shape[0] == 1 ? shape + 1 : shape, out);
}

bool run_geometry(struct example *e) {
    bool is_shift = strcmp(e->kind, "shift") == 0, is_index = strcmp(e->kind, "index") == 0;
    if (is_shift) run_shift(e);
    else if (is_index) run_index(e);
    else if (strcmp(e->kind, "resize") == 0) run_resize(e);
    else return false;
    return true;
}
