/* One case of the manifest: its file, its arguments, its results. */
#include "rpb.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const KINDS[NUM_KINDS] = {"attention", "bias",    "score_lookup", "value_lookup", "cosine",
                                      "windows",   "reverse", "shift",        "resize",       "index"};

bool implemented(const char *kind, const char *scheme) {
    for (size_t i = 0; i < NUM_KINDS; i++)
        if (strcmp(KINDS[i], kind) == 0) return scheme == NULL || scheme_axes(scheme) > 0;
    return false;
}

void require(const struct example *example, bool condition, const char *what) {
    if (!condition) fail("%s: %s", example->file.path, what);
}

static bool same_shape(int axes, const size_t *shape, int other_axes, const size_t *other) {
    return axes == other_axes && memcmp(shape, other, (size_t)axes * sizeof *shape) == 0;
}

const struct tensor *get_tensor(const struct example *example, const char *name, int axes) {
    const struct tensor *tensor = read_tensor(&example->file, name);
    if (tensor == NULL) fail("%s: tensor %s is missing", example->file.path, name);
    if (axes >= 0 && tensor->axes != axes)
        fail("%s: tensor %s has %d axes, not %d", example->file.path, name, tensor->axes, axes);
    return tensor;
}

/* The tensor "<role>.<name>", of the shape and the dtype (if it has one) that the manifest's entry says.
 */
static const struct tensor *get_of(const struct example *example, const char *role,
                                   const struct json *entry) {
    char name[64];
    size_t shape[MAX_AXES], count;
    snprintf(name, sizeof name, "%s.%s", role, entry->key);
    const struct tensor *tensor = get_tensor(example, name, -1);
    int axes = read_shape(example->id, json_get(entry, "shape", JSON_ARRAY), shape, &count);
    if (!same_shape(axes, shape, tensor->axes, tensor->shape))
        fail("%s: tensor %s has another shape than in the manifest", example->file.path, name);
    const struct json *dtype = json_find(entry, "dtype");
    if (dtype != NULL && (dtype->type != JSON_STRING || strcmp(dtype->string, tensor->dtype) != 0))
        fail("%s: tensor %s is %s, not as in the manifest", example->file.path, name, tensor->dtype);
    return tensor;
}

const struct tensor *find_input(const struct example *example, const char *name) {
    const struct json *entry = json_find(json_get(example->entry, "inputs", JSON_OBJECT), name);
    return entry == NULL ? NULL : get_of(example, "input", entry);
}

/* The index, (Lq, Lk) = shape, with each entry in [0, rows). */
size_t *get_index(const struct example *example, size_t rows, size_t shape[2]) {
    const struct tensor *tensor = find_input(example, "index");
    require(example, tensor != NULL && tensor->axes == 2, "there is no index of two axes");
    size_t *index = allocate(tensor->count, sizeof *index);
    for (size_t i = 0; i < tensor->count; i++) {
        require(example, tensor->values[i] >= 0 && tensor->values[i] < (double)rows,
                "the index has an entry that is no row of the table");
        index[i] = (size_t)tensor->values[i];
    }
    memcpy(shape, tensor->shape, 2 * sizeof *shape);
    return index;
}

/* names: "scale stride", separated by spaces. */
static bool contains(const char *names, const char *name) {
    while (*names != 0) {
        size_t length = strcspn(names, " ");
        if (length == strlen(name) && memcmp(names, name, length) == 0) return true;
        names += length + strspn(names + length, " ");
    }
    return false;
}

void allow_options(const struct example *example, const char *names) {
    for (const struct json *option = example->options->first; option != NULL; option = option->next)
        if (!contains(names, option->key))
            fail("%s: the option %s is unknown", example->id, option->key);
}

static long whole(const struct example *example, const struct json *value) {
    double number = value->number;
    require(example, value->type == JSON_NUMBER && fabs(number) < 1e6 && floor(number) == number,
            "an option is not the whole number that it should be");
    return (long)number;
}

/* Return how many sizes the list has; 1 for a number, 0 if it is absent. */
int get_sizes(const struct example *example, const char *name, long out[MAX_GRID_AXES]) {
    const struct json *option = json_find(example->options, name);
    int count = 0;
    if (option == NULL) return 0;
    if (option->type != JSON_ARRAY) {
        out[0] = whole(example, option);
        return 1;
    }
    for (const struct json *size = option->first; size != NULL; size = size->next) {
        require(example, count < MAX_GRID_AXES, "a size has more than three axes");
        out[count++] = whole(example, size);
    }
    return count;
}

long get_whole(const struct example *example, const char *name, long otherwise) {
    const struct json *option = json_find(example->options, name);
    return option == NULL ? otherwise : whole(example, option);
}

bool get_flag(const struct example *example, const char *name, bool otherwise) {
    const struct json *option = json_find(example->options, name);
    if (option == NULL) return otherwise;
    require(example, option->type == JSON_TRUE || option->type == JSON_FALSE,
            "an option is not true or false");
    return option->type == JSON_TRUE;
}

const char *get_word(const struct example *example, const char *name, const char *words,
                     const char *otherwise) {
    const struct json *option = json_find(example->options, name);
    if (option == NULL) return otherwise;
    if (option->type != JSON_STRING || !contains(words, option->string))
        fail("%s: the option %s is none of %s", example->id, name, words);
    return option->string;
}

size_t count_of(int axes, const size_t *shape) {
    size_t count = 1;
    for (int axis = 0; axis < axes; axis++) count *= shape[axis];
    return count;
}

void give_values(struct example *example, const char *name, int axes, const size_t *shape,
                 double *values) {
    struct result *result = &example->results[example->num_results++];
    result->name = name;
    result->axes = axes;
    result->values = values;
    memcpy(result->shape, shape, (size_t)axes * sizeof *shape);
}

static const struct result *find_result(const struct example *example, const char *name) {
    for (int i = 0; i < example->num_results; i++)
        if (strcmp(example->results[i].name, name) == 0) return &example->results[i];
    return NULL;
}

static double judge_output(const struct example *example, const struct json *output,
                           struct rules rules) {
    const char *rule = json_get(output, "rule", JSON_STRING)->string;
    const struct tensor *truth = get_of(example, "truth", output), *spread = NULL;
    const struct result *result = find_result(example, output->key);
    double cost[3] = {0};
    if (result == NULL || !same_shape(result->axes, result->shape, truth->axes, truth->shape))
        return INFINITY;
    if (strcmp(rule, "rounding") == 0) {
        const struct json *number = json_get(output, "cost", JSON_ARRAY)->first;
        for (int i = 0; i < 3 && number != NULL; i++, number = number->next) cost[i] = number->number;
        spread = get_of(example, "spread", output);
    }
    return judge(rule, rules, cost, truth->count, result->values, truth->values,
                 spread == NULL ? NULL : spread->values);
}

static struct example open_example(const char *folder, const struct json *entry) {
    struct example example = {.entry = entry, .options = json_get(entry, "options", JSON_OBJECT)};
    const char *name = json_get(entry, "file", JSON_STRING)->string;
    char *path = allocate(strlen(folder) + strlen(name) + 2, 1), checksum[65];
    sprintf(path, "%s/%s", folder, name);
    example.id = json_get(entry, "id", JSON_STRING)->string;
    example.kind = json_get(entry, "kind", JSON_STRING)->string;
    example.dtype = json_get(entry, "dtype", JSON_STRING)->string;
    example.file = open_safetensors(path);
    for (const struct json *tensor = example.file.header->first; tensor != NULL; tensor = tensor->next)
        if (strcmp(tensor->key, "__metadata__") != 0) read_tensor(&example.file, tensor->key);
    sha256(example.file.bytes, example.file.size, checksum);
    require(&example, strcmp(checksum, json_get(entry, "sha256", JSON_STRING)->string) == 0,
            "the checksum is not that of the manifest");
    return example;
}

/* Return the largest share of all outputs; a line for each that is wrong. */
double run_example(const char *folder, const struct json *entry, struct rules rules) {
    void *earlier = allocated();
    struct example example = open_example(folder, entry);
    double largest = 0;
    bool done = run_geometry(&example);
    if (!done && strcmp(example.dtype, "float64") == 0) run_kind_double(&example);
    else if (!done) run_kind_float(&example);
    for (const struct json *output = json_get(entry, "outputs", JSON_OBJECT)->first; output != NULL;
         output = output->next) {
        double share = judge_output(&example, output, rules);
        if (share > 1)
            printf("WRONG  %s %s: %s is %.3g times the tolerance\n", example.dtype, example.id,
                   output->key, share);
        largest = fmax(largest, share);
    }
    release_to(earlier);
    return largest;
}
