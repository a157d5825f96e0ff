/* Part 5: windows of a map, back, and the mask of shifted windows. Axis 0 goes down, axis 1 across. */
#include "rpb.h"

struct windows cut_windows(const long size[2], const long window[2], const long shift[2]) {
    struct windows w;
    for (int axis = 0; axis < 2; axis++) {
        w.size[axis] = size[axis];
        w.window[axis] = window[axis];
        w.count[axis] = (size[axis] + window[axis] - 1) / window[axis];
        w.padded[axis] = w.count[axis] * window[axis];
        w.shift[axis] = w.count[axis] > 1 ? shift[axis] : 0; /* no shift along an axis with one window */
    }
    return w;
}

static long num_windows(const struct windows *w) { return w->count[0] * w->count[1]; }
static long num_tokens(const struct windows *w) { return w->window[0] * w->window[1]; }

/* The place in the rolled map of token t of window n along an axis. */
static long rolled_place(const struct windows *w, long n, long t, int axis) {
    long window = axis == 0 ? n / w->count[1] : n % w->count[1];
    long cell = axis == 0 ? t / w->window[1] : t % w->window[1];
    return window * w->window[axis] + cell;
}

/* The number of the cell of the map that token t of window n has; -1: padding. */
static long source(const struct windows *w, long n, long t) {
    long y = (rolled_place(w, n, t, 0) + w->shift[0]) % w->padded[0];
    long x = (rolled_place(w, n, t, 1) + w->shift[1]) % w->padded[1];
    return y < w->size[0] && x < w->size[1] ? y * w->size[1] + x : -1;
}

/* x (B, H, W, C) -> out (B·nW, wh·ww, C), which begins with 0. Its gradient is window_reverse. */
void window_partition(const struct windows *w, size_t batch, size_t channels, const REAL *x, REAL *out) {
    size_t cells = (size_t)(w->size[0] * w->size[1]);
    for (size_t b = 0; b < batch; b++)
        for (long n = 0; n < num_windows(w); n++)
            for (long t = 0; t < num_tokens(w); t++, out += channels) {
                long from = source(w, n, t);
                for (size_t c = 0; from >= 0 && c < channels; c++)
                    out[c] = x[(b * cells + (size_t)from) * channels + c];
            }
}

/* cut (B·nW, wh·ww, C) -> out (B, H, W, C); residual of that shape, or NULL. Its gradients are
 * window_partition, and dout for the residual. */
void window_reverse(const struct windows *w, size_t batch, size_t channels, const REAL *cut,
                    const REAL *residual, REAL *out) {
    size_t cells = (size_t)(w->size[0] * w->size[1]);
    for (size_t b = 0; b < batch; b++)
        for (long n = 0; n < num_windows(w); n++)
            for (long t = 0; t < num_tokens(w); t++, cut += channels) {
                long to = source(w, n, t);
                for (size_t c = 0; to >= 0 && c < channels; c++) {
                    size_t at = (b * cells + (size_t)to) * channels + c;
                    out[at] = residual == NULL ? cut[c] : cut[c] + residual[at];
                }
            }
}

/* Did the roll carry token t of window n to the other side along the axis? */
static bool carried(const struct windows *w, long n, long t, int axis) {
    return rolled_place(w, n, t, axis) >= w->padded[axis] - w->shift[axis];
}

/* mask (nW, 1, wh·ww, wh·ww): -100 unless both tokens were carried along the same axes. */
bool window_mask(const struct windows *w, REAL *mask) {
    for (long n = 0; n < num_windows(w); n++)
        for (long s = 0; s < num_tokens(w); s++)
            for (long t = 0; t < num_tokens(w); t++)
                *mask++ = carried(w, n, s, 0) == carried(w, n, t, 0) &&
                                  carried(w, n, s, 1) == carried(w, n, t, 1)
                              ? 0
                              : -100;
    return w->shift[0] != 0 || w->shift[1] != 0;
}
