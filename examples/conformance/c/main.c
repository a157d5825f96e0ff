/* conformance [FOLDER]: run every case of FOLDER/manifest.json and judge it; exit code 0 if all are
 * right. */
#include "rpb.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_GROUPS = 64 };

/* The cases of one kind and dtype; ran: false if they are left out. */
struct group {
    const char *kind, *dtype;
    bool ran;
    int cases, wrong;
    double largest;
};

static struct group *group_of(struct group *groups, int *count, const char *kind, const char *dtype,
                              bool ran) {
    for (int i = 0; i < *count; i++)
        if (strcmp(groups[i].kind, kind) == 0 && strcmp(groups[i].dtype, dtype) == 0 &&
            groups[i].ran == ran)
            return groups + i;
    if (*count == MAX_GROUPS) fail("the manifest has more than %d kinds and dtypes", MAX_GROUPS);
    groups[*count] = (struct group){.kind = kind, .dtype = dtype, .ran = ran};
    return groups + (*count)++;
}

static void print_group(const struct group *group) {
    printf("%-13s %-9s %3d cases  ", group->kind, group->dtype, group->cases);
    if (!group->ran) printf("left out: not implemented\n");
    else if (group->wrong > 0) printf("%d WRONG\n", group->wrong);
    else printf("largest share %.2g\n", group->largest);
}

/* A kind without cases is no pass. */
static void require_every_kind(const char *path, const struct group *groups, int count) {
    for (int kind = 0; kind < NUM_KINDS; kind++) {
        bool found = false;
        for (int i = 0; i < count; i++)
            found = found || (groups[i].ran && strcmp(groups[i].kind, KINDS[kind]) == 0);
        if (!found) fail("%s: has no case of the kind %s", path, KINDS[kind]);
    }
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "../../../parity_tests/vectors/data";
    char *path = allocate(strlen(folder) + sizeof "/manifest.json", 1);
    size_t size;
    sprintf(path, "%s/manifest.json", folder);
    const struct json *manifest = json_parse(path, (const char *)read_file(path, &size));
    if (json_get(manifest, "format", JSON_NUMBER)->number != 1) fail("%s: the format is not 1", path);
    const struct json *factors = json_get(manifest, "rules", JSON_OBJECT);
    struct rules rules = {json_get(factors, "float64", JSON_NUMBER)->number,
                          json_get(factors, "rounding", JSON_NUMBER)->number};
    struct group groups[MAX_GROUPS];
    int num_groups = 0, ran = 0, wrong = 0;
    const struct json *entry = json_get(manifest, "cases", JSON_ARRAY)->first;
    for (; entry != NULL; entry = entry->next) {
        const struct json *scheme = json_find(entry, "scheme");
        const char *kind = json_get(entry, "kind", JSON_STRING)->string;
        bool runs =
            implemented(kind, scheme != NULL && scheme->type == JSON_STRING ? scheme->string : NULL);
        const char *dtype = json_get(entry, "dtype", JSON_STRING)->string;
        struct group *group = group_of(groups, &num_groups, kind, dtype, runs);
        double share = runs ? run_example(folder, entry, rules) : 0;
        group->cases++, group->wrong += share > 1, group->largest = fmax(group->largest, share);
        ran += runs, wrong += share > 1;
    }
    for (int i = 0; i < num_groups; i++) print_group(groups + i);
    printf("%d cases, %d wrong\n", ran, wrong);
    require_every_kind(path, groups, num_groups);
    release_to(NULL);
    return wrong > 0;
}
