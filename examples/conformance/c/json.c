/* JSON: text into a tree. */
#include "rpb.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

struct reader {
    const char *path, *text, *at;
};

_Noreturn static void broken(const struct reader *r, const char *expected) {
    fail("%s: no JSON at byte %td: %s is expected", r->path, r->at - r->text, expected);
}

static void skip_space(struct reader *r) {
    while (*r->at != 0 && strchr(" \t\r\n", *r->at) != NULL) r->at++;
}

static bool accept(struct reader *r, char character) {
    skip_space(r);
    if (*r->at != character) return false;
    r->at++;
    return true;
}

static unsigned read_hexadecimal(struct reader *r) {
    unsigned code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        if (!isxdigit((unsigned char)*r->at)) broken(r, "a hexadecimal digit");
        char digit[2] = {*r->at, 0};
        code = code * 16 + (unsigned)strtoul(digit, NULL, 16);
    }
    return code;
}

/* Append a code point as UTF-8. */
static char *put_utf8(char *to, unsigned code) {
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

/* Read a string without its first quote. Surrogates stay apart: names and checksums have none. */
static const char *read_string(struct reader *r) {
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *end = r->at;
    while (*end != '"') {
        if (*end == '\\') end++;
        if (*end++ == 0) broken(r, "the end of the string");
    }
    char *string = allocate((size_t)(end - r->at) + 1, 1), *to = string;
    while (*r->at != '"') {
        if (*r->at != '\\') {
            *to++ = *r->at++;
        } else if (r->at[1] == 'u') {
            r->at += 2;
            to = put_utf8(to, read_hexadecimal(r));
        } else {
            const char *escape = strchr(escapes, r->at[1]);
            if (escape == NULL) broken(r, "an escape");
            *to++ = meanings[escape - escapes];
            r->at += 2;
        }
    }
    r->at++;
    return string;
}

static struct json *read_value(struct reader *r, int depth);

static void read_children(struct reader *r, struct json *parent, char end, int depth) {
    struct json **link = &parent->first;
    if (accept(r, end)) return;
    do {
        const char *key = NULL;
        if (parent->type == JSON_OBJECT) {
            if (!accept(r, '"')) broken(r, "a name in quotes");
            key = read_string(r);
            if (!accept(r, ':')) broken(r, "a colon");
        }
        *link = read_value(r, depth + 1);
        (*link)->key = key;
        link = &(*link)->next;
    } while (accept(r, ','));
    if (!accept(r, end)) broken(r, "a comma or the end of the list");
}

static bool accept_word(struct reader *r, const char *word) {
    if (strncmp(r->at, word, strlen(word)) != 0) return false;
    r->at += strlen(word);
    return true;
}

static struct json *read_value(struct reader *r, int depth) {
    struct json *value = allocate(1, sizeof(struct json));
    if (depth > MAX_DEPTH) broken(r, "a less deep nesting");
    if (accept(r, '{')) {
        value->type = JSON_OBJECT;
        read_children(r, value, '}', depth);
    } else if (accept(r, '[')) {
        value->type = JSON_ARRAY;
        read_children(r, value, ']', depth);
    } else if (accept(r, '"')) {
        value->type = JSON_STRING;
        value->string = read_string(r);
    } else if (*r->at == '-' || isdigit((unsigned char)*r->at)) {
        char *end;
        value->type = JSON_NUMBER;
        value->number = strtod(r->at, &end);
        if (end == r->at) broken(r, "a number");
        r->at = end;
    } else if (accept_word(r, "true")) {
        value->type = JSON_TRUE;
    } else if (accept_word(r, "false")) {
        value->type = JSON_FALSE;
    } else if (!accept_word(r, "null")) {
        broken(r, "a value");
    }
    return value;
}

struct json *json_parse(const char *path, const char *text) {
    struct reader reader = {path, text, text};
    struct json *value = read_value(&reader, 0);
    skip_space(&reader);
    if (*reader.at != 0) broken(&reader, "the end");
    return value;
}

const struct json *json_find(const struct json *object, const char *key) {
    if (object->type != JSON_OBJECT) return NULL;
    for (const struct json *child = object->first; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

const struct json *json_get(const struct json *object, const char *key, enum json_type type) {
    const struct json *value = json_find(object, key);
    if (value == NULL) fail("\"%s\" is missing in the JSON", key);
    if (value->type != type) fail("\"%s\" has another type than expected in the JSON", key);
    return value;
}

size_t json_size(const struct json *value) {
    if (value->type != JSON_NUMBER || !(value->number >= 0 && value->number < 1e15) ||
        value->number != (double)(size_t)value->number)
        fail("the JSON has something else where a size is expected");
    return (size_t)value->number;
}
