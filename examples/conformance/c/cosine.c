/* Part 3: Swin V2's q and k. A row u (d) becomes û = u/‖u‖; for q it is multiplied by τ of its head. */
#include "rpb.h"

#include <tgmath.h>

static const REAL SMALLEST_NORM = (REAL)1e-12;

static REAL norm(const REAL *u, size_t d) {
    REAL sum = 0;
    for (size_t c = 0; c < d; c++) sum += u[c] * u[c];
    return sqrt(sum);
}

/* τ of a head; 1 for k, which has no logit scale. */
static REAL tau(const REAL *logit_scale, size_t h) {
    REAL largest = log((REAL)100);
    if (logit_scale == NULL) return 1;
    return exp(logit_scale[h] < largest ? logit_scale[h] : largest);
}

/* u (B, H, L, d) -> out, of the same shape; logit_scale (H, 1, 1) or NULL. */
void unit_forward(const struct rows *rows, const REAL *u, const REAL *logit_scale, REAL *out) {
    for (size_t row = 0; row < rows->batch * rows->heads * rows->tokens; row++) {
        const REAL *u_i = u + row * rows->d;
        REAL factor = tau(logit_scale, row / rows->tokens % rows->heads);
        REAL length = fmax(norm(u_i, rows->d), SMALLEST_NORM);
        for (size_t c = 0; c < rows->d; c++) out[row * rows->d + c] = factor * (u_i[c] / length);
    }
}

/* du = (dû − û (û·dû)) / ‖u‖, dû = τ dout; du = dû / 1e-12 for a row that short. */
void unit_backward(const struct rows *rows, const REAL *dout, const REAL *u, const REAL *logit_scale,
                   REAL *du) {
    for (size_t row = 0; row < rows->batch * rows->heads * rows->tokens; row++) {
        const REAL *u_i = u + row * rows->d, *dout_i = dout + row * rows->d;
        REAL factor = tau(logit_scale, row / rows->tokens % rows->heads), along = 0;
        REAL length = norm(u_i, rows->d), divisor = fmax(length, SMALLEST_NORM);
        if (length > SMALLEST_NORM)
            for (size_t c = 0; c < rows->d; c++) along += u_i[c] / divisor * factor * dout_i[c];
        for (size_t c = 0; c < rows->d; c++)
            du[row * rows->d + c] = (factor * dout_i[c] - u_i[c] / divisor * along) / divisor;
    }
}

/* dlogit_scale (H, 1, 1) = Σ dout out, 0 if the logit scale is clamped; it begins with 0. */
void logit_scale_backward(const struct rows *rows, const REAL *dout, const REAL *out,
                          const REAL *logit_scale, REAL *dlogit_scale) {
    size_t head = rows->tokens * rows->d;
    for (size_t x = 0; x < rows->batch * rows->heads * head; x++) {
        size_t h = x / head % rows->heads;
        if (logit_scale[h] <= log((REAL)100)) dlogit_scale[h] += dout[x] * out[x];
    }
}
