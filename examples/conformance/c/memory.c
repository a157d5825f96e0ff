/* Errors, memory and whole files. */
#include "rpb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    release_to(NULL);
    exit(1);
}

/* Each allocation knows the one before it, so that a case is released at once. */
struct block {
    struct block *before;
    max_align_t data[];
};
static struct block *newest;

void *allocate(size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX - sizeof(struct block)) / size)
        fail("a size is too large: %zu", count);
    struct block *block = calloc(1, sizeof(struct block) + count * size);
    if (block == NULL) fail("no memory for %zu bytes", count * size);
    block->before = newest;
    newest = block;
    return block->data;
}

void *allocated(void) { return newest; }

void release_to(void *earlier) {
    while (newest != NULL && newest != earlier) {
        struct block *before = newest->before;
        free(newest);
        newest = before;
    }
}

unsigned char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail("%s: cannot be read", path);
    long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (length < 0) {
        fclose(file);
        fail("%s: is no file", path);
    }
    rewind(file);
    unsigned char *bytes = allocate((size_t)length + 1, 1);
    *size = fread(bytes, 1, (size_t)length, file);
    fclose(file);
    if (*size != (size_t)length) fail("%s: only %zu of %ld bytes can be read", path, *size, length);
    return bytes;
}
