/* Part 6: a table for another window. One matrix W (m, n) per axis, in float64. */
#include "rpb.h"

#include <math.h>
#include <string.h>

static double cubic(double x) {
    const double a = -0.75;
    if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

static double linear(double x) { return x < 1 ? 1 - x : 0; }

/* W[i, t] = K(s − t); a t outside reads the nearest input. */
static void kernel_matrix(double *matrix, long m, long n, double (*kernel)(double)) {
    for (long i = 0; i < m; i++) {
        double s = (double)((2 * i + 1) * n - m) / (double)(2 * m);
        long first = (long)floor(s) - 1;
        for (long t = first; t < first + 4; t++) {
            long inside = t < 0 ? 0 : t >= n ? n - 1 : t;
            matrix[i * n + inside] += kernel(fabs(s - (double)t));
        }
    }
}

/* 1 + r + … + r^(count − 1) */
static double geometric_sum(double r, long count) {
    double sum = 0, power = 1;
    for (long i = 0; i < count; i++, power *= r) sum += power;
    return sum;
}

/* sites (n): 0, ±1, ±(1 + r), … in ascending order */
static void geometric_sites(double *sites, long n, long m) {
    double low = 1.01, high = 1.5, r = 1.5;
    while (high - low > 1e-6) {
        r = (low + high) / 2;
        if (geometric_sum(r, n / 2) > (double)(m / 2)) high = r;
        else low = r;
    }
    for (long i = 0; i <= n / 2; i++) {
        sites[n / 2 + i] = geometric_sum(r, i);
        sites[n / 2 - i] = -geometric_sum(r, i);
    }
}

static void swap_rows(double *matrix, long n, long a, long b) {
    for (long c = 0; c < n; c++) {
        double value = matrix[a * n + c];
        matrix[a * n + c] = matrix[b * n + c];
        matrix[b * n + c] = value;
    }
}

/* Solve left X = right, all (n, n), by Gauss and Jordan with pivots; X replaces right. */
static void solve(double *left, double *right, long n) {
    for (long c = 0; c < n; c++) {
        long pivot = c;
        for (long r = c + 1; r < n; r++)
            if (fabs(left[r * n + c]) > fabs(left[pivot * n + c])) pivot = r;
        swap_rows(left, n, c, pivot);
        swap_rows(right, n, c, pivot);
        for (long r = 0; r < n; r++) {
            double factor = r == c ? 0 : left[r * n + c] / left[c * n + c];
            for (long k = 0; factor != 0 && k < n; k++) {
                left[r * n + k] -= factor * left[c * n + k];
                right[r * n + k] -= factor * right[c * n + k];
            }
        }
    }
    for (long r = 0; r < n; r++)
        for (long k = 0; k < n; k++) right[r * n + k] /= left[r * n + r];
}

/* Return curved (n, n): the second derivatives at the sites are M = curved y. h (n − 1): gaps. */
static double *second_derivatives(const double *h, long n) {
    double *left = allocate((size_t)(n * n), sizeof *left),
           *right = allocate((size_t)(n * n), sizeof *right);
    double *first = left, *last = left + n * n - 1;
    for (long i = 1; i < n - 1; i++) {
        double *l = left + i * n + i, *r = right + i * n + i;
        l[-1] = h[i - 1], l[0] = 2 * (h[i - 1] + h[i]), l[1] = h[i];
        r[-1] = 6 / h[i - 1], r[0] = -6 / h[i - 1] - 6 / h[i], r[1] = 6 / h[i];
    }
    if (n == 3) { /* a parabola: M_0 = M_1 = M_2 */
        first[0] = 1, first[1] = -1;
        last[0] = -1, last[-1] = 1;
    } else { /* not a knot */
        first[0] = 1, first[1] = -1 - h[0] / h[1], first[2] = h[0] / h[1];
        last[0] = 1, last[-1] = -1 - h[n - 2] / h[n - 3], last[-2] = h[n - 2] / h[n - 3];
    }
    solve(left, right, n);
    return right;
}

/* W for "geometric": the spline through the sites, read at the integers −(m − 1)/2 … (m − 1)/2. */
static void spline_matrix(double *matrix, long m, long n) {
    double *sites = allocate((size_t)n, sizeof *sites), *h = allocate((size_t)n, sizeof *h);
    geometric_sites(sites, n, m);
    for (long i = 0; i + 1 < n; i++) h[i] = sites[i + 1] - sites[i];
    double *curved = n > 1 ? second_derivatives(h, n) : NULL;
    for (long row = 0; row < m; row++) {
        double *w = matrix + row * n, x = fmin(fmax((double)(row - m / 2), sites[0]), sites[n - 1]);
        if (n == 1) {
            w[0] = 1;
            continue;
        }
        long i = 0;
        while (i + 2 < n && sites[i + 1] <= x) i++;
        double t = x - sites[i], u = sites[i + 1] - x;
        for (long c = 0; c < n; c++)
            w[c] = (u * (u * u - h[i] * h[i]) * curved[i * n + c] +
                    t * (t * t - h[i] * h[i]) * curved[(i + 1) * n + c]) /
                   (6 * h[i]);
        w[i] += u / h[i];
        w[i + 1] += t / h[i];
    }
}

/* Return W (m, n). */
static double *axis_matrix(const char *method, long m, long n) {
    double *matrix = allocate((size_t)(m * n), sizeof *matrix);
    if (strcmp(method, "geometric") == 0) spline_matrix(matrix, m, n);
    else kernel_matrix(matrix, m, n, strcmp(method, "linear") == 0 ? linear : cubic);
    return matrix;
}

/* Return x (before, from, after) multiplied by a matrix along its middle axis: (before, to, after). The
 * matrix is W (m, n), from n to m, or transposed from m to n. Weights of 0 are left out: 0·inf is NaN.
 */
static double *multiplied(const double *x, const double *matrix, bool transposed, size_t before,
                          size_t to, size_t from, size_t after) {
    double *out = allocate(before * to * after, sizeof *out);
    for (size_t b = 0; b < before; b++)
        for (size_t i = 0; i < to; i++)
            for (size_t j = 0; j < from; j++) {
                double weight = transposed ? matrix[j * to + i] : matrix[i * from + j];
                for (size_t c = 0; weight != 0 && c < after; c++)
                    out[(b * to + i) * after + c] += weight * x[(b * from + j) * after + c];
            }
    return out;
}

static size_t product(const size_t *sizes, int count) {
    size_t result = 1;
    for (int i = 0; i < count; i++) result *= sizes[i];
    return result;
}

/* One axis after the other; the prefix rows are copied. */
static void resize(const struct resizing *r, bool backward, const double *rows, double *out) {
    const size_t *from = backward ? r->m : r->n, *to = backward ? r->n : r->m;
    const double *x = rows;
    for (int axis = 0; axis < r->axes; axis++) {
        if (from[axis] == to[axis]) continue; /* an axis that keeps its size has no matrix */
        double *matrix = axis_matrix(r->method, (long)r->m[axis], (long)r->n[axis]);
        size_t after = product(from + axis + 1, r->axes - axis - 1) * r->heads;
        x = multiplied(x, matrix, backward, product(to, axis), to[axis], from[axis], after);
    }
    size_t new_rows = product(to, r->axes) * r->heads, old_rows = product(from, r->axes) * r->heads;
    memcpy(out, x, new_rows * sizeof *out);
    memcpy(out + new_rows, rows + old_rows, r->prefix_rows * r->heads * sizeof *out);
}

/* table (Π n + prefix rows, H) -> out (Π m + prefix rows, H) */
void resize_forward(const struct resizing *r, const double *table, double *out) {
    resize(r, false, table, out);
}

/* dout, of the shape of out -> dtable, of the shape of the table */
void resize_backward(const struct resizing *r, const double *dout, double *dtable) {
    resize(r, true, dout, dtable);
}
