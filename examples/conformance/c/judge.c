/* Part 7: is a result right? */
#include "rpb.h"

#include <math.h>
#include <string.h>

/* NaN and what is not allowed at all are infinitely wrong. */
static double share(double measure, double allowed) {
    if (measure <= allowed) return allowed > 0 ? measure / allowed : 0;
    return allowed > 0 && !isnan(measure) ? measure / allowed : INFINITY;
}

static double judge_exact(size_t count, const double *result, const double *truth) {
    for (size_t i = 0; i < count; i++)
        if (!(result[i] == truth[i])) return INFINITY;
    return 0;
}

static double judge_float64(size_t count, const double *result, const double *truth, double factor) {
    double error = 0, size = 1;
    for (size_t i = 0; i < count; i++) {
        if (truth[i] == -INFINITY) continue; /* so is the result */
        error = fmax(error, fabs(result[i] - truth[i]));
        size = fmax(size, fabs(truth[i]));
    }
    return share(error, factor * size);
}

static double judge_rounding(size_t count, const double *result, const double *truth,
                             const double *spread, double factor, const double cost[3]) {
    double largest = 0, squares = 0, along = 0, power = 0;
    for (size_t i = 0; i < count; i++) {
        if (truth[i] == -INFINITY) continue;
        double e = result[i] - truth[i];
        largest = fmax(largest, fabs(e / spread[i]));
        squares += (e / spread[i]) * (e / spread[i]);
        along += e * truth[i];
        power += truth[i] * truth[i];
    }
    double typical = count > 0 ? sqrt(squares / (double)count) : 0;
    double common = power > 0 ? fabs(along) / power : 0;
    return fmax(fmax(share(largest, factor * cost[0]), share(typical, factor * cost[1])),
                share(common, factor * cost[2]));
}

double judge(const char *rule, struct rules rules, const double cost[3], size_t count,
             const double *result, const double *truth, const double *spread) {
    if (strcmp(rule, "exact") == 0) return judge_exact(count, result, truth);
    for (size_t i = 0; i < count; i++) /* finite, but for -inf where the truth is -inf */
        if (truth[i] == -INFINITY ? result[i] != -INFINITY : !isfinite(result[i])) return INFINITY;
    if (strcmp(rule, "float64") == 0) return judge_float64(count, result, truth, rules.float64);
    if (strcmp(rule, "rounding") == 0)
        return judge_rounding(count, result, truth, spread, rules.rounding, cost);
    fail("the rule \"%s\" is unknown", rule);
}
