/* Part 7: a safetensors file. All numbers are little-endian in the file, whatever the machine is. */
#include "rpb.h"

#include <math.h>
#include <string.h>

static uint64_t little_endian(const unsigned char *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

struct safetensors open_safetensors(const char *path) {
    struct safetensors file = {.path = path};
    file.bytes = read_file(path, &file.size);
    if (file.size < 8) fail("%s: is damaged: %zu bytes, and a header alone has more", path, file.size);
    uint64_t length = little_endian(file.bytes, 8);
    if (length > file.size - 8)
        fail("%s: is damaged: its header is longer than its %zu bytes", path, file.size);
    char *header = allocate((size_t)length + 1, 1);
    memcpy(header, file.bytes + 8, (size_t)length);
    file.header = json_parse(path, header);
    file.data = file.bytes + 8 + length;
    file.data_size = file.size - 8 - (size_t)length;
    return file;
}

/* F16: 1 bit of sign, 5 bits of exponent, 10 bits of fraction. */
static double half(unsigned bits) {
    double sign = bits >> 15 ? -1 : 1;
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

/* BF16 is the upper half of an F32. */
static double single(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t item_size(const char *dtype) {
    if (strcmp(dtype, "F64") == 0 || strcmp(dtype, "I64") == 0) return 8;
    if (strcmp(dtype, "F32") == 0) return 4;
    return strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0 ? 2 : 0;
}

static double decode(const char *dtype, uint64_t bits) {
    double value;
    if (strcmp(dtype, "I64") == 0) {
        int64_t integer;
        memcpy(&integer, &bits, sizeof integer);
        return (double)integer;
    }
    if (strcmp(dtype, "F32") == 0) return single((uint32_t)bits);
    if (strcmp(dtype, "BF16") == 0) return single((uint32_t)bits << 16);
    if (strcmp(dtype, "F16") == 0) return half((unsigned)bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Return the number of axes. */
int read_shape(const char *where, const struct json *shape, size_t out[MAX_AXES], size_t *count) {
    int axes = 0;
    *count = 1;
    for (const struct json *length = shape->first; length != NULL; length = length->next) {
        if (axes == MAX_AXES) fail("%s: has more than %d axes", where, MAX_AXES);
        out[axes] = json_size(length);
        if (out[axes] != 0 && *count > SIZE_MAX / 8 / out[axes]) fail("%s: is too large", where);
        *count *= out[axes++];
    }
    return axes;
}

/* Return where the tensor's bytes begin, after all that its entry says was checked. */
static const unsigned char *find_bytes(const struct safetensors *file, const char *name,
                                       const struct json *entry, size_t bytes) {
    const struct json *offsets = json_find(entry, "data_offsets");
    const struct json *first = offsets == NULL ? NULL : offsets->first;
    if (first == NULL || first->next == NULL)
        fail("%s: tensor %s has no data_offsets", file->path, name);
    size_t begin = json_size(first), end = json_size(first->next);
    if (begin > end || end > file->data_size)
        fail("%s: tensor %s is damaged: its bytes are %zu to %zu of %zu", file->path, name, begin, end,
             file->data_size);
    if (end - begin != bytes)
        fail("%s: tensor %s is damaged: it has %zu bytes, its shape needs %zu", file->path, name,
             end - begin, bytes);
    return file->data + begin;
}

const struct tensor *read_tensor(const struct safetensors *file, const char *name) {
    const struct json *entry = json_find(file->header, name);
    if (entry == NULL) return NULL;
    const struct json *dtype = json_find(entry, "dtype"), *shape = json_find(entry, "shape");
    if (dtype == NULL || dtype->type != JSON_STRING || item_size(dtype->string) == 0)
        fail("%s: tensor %s has no dtype of F64, F32, F16, BF16, I64", file->path, name);
    if (shape == NULL || shape->type != JSON_ARRAY) fail("%s: tensor %s has no shape", file->path, name);
    struct tensor *tensor = allocate(1, sizeof(struct tensor));
    size_t size = item_size(dtype->string);
    tensor->dtype = dtype->string;
    tensor->axes = read_shape(file->path, shape, tensor->shape, &tensor->count);
    const unsigned char *bytes = find_bytes(file, name, entry, tensor->count * size);
    tensor->values = allocate(tensor->count, sizeof(double));
    for (size_t i = 0; i < tensor->count; i++)
        tensor->values[i] = decode(dtype->string, little_endian(bytes + i * size, size));
    return tensor;
}
