/* records [MIB]: makes MIB/2 MiB of records, sorts them by key with a radix sort into a second array of the same
   size, pass by pass, and checks the result. Together the two arrays are MIB MiB of memory, 1024 by default: far
   more than the resident set that Everheap gives a program by default. Its output depends on MIB alone. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
    uint32_t key;
    uint32_t payload; /* made from the key and the record's first place, so that every record can be checked */
};

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)
#define PASSES 3 /* 11 + 11 + 10 bits */
#define PARTS 16 /* lines of progress for each pass */

static uint32_t counts[PASSES][DIGITS];

static uint32_t scramble(uint32_t x) {
    x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16;
    return x;
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x100000001b3ull;
    return hash ^ (hash >> 29);
}

static void progress(const char *what, uint32_t part, uint64_t value) {
    printf("%-10s %3u%% %016llx\n", what, part * 100 / PARTS, (unsigned long long)value);
    fflush(stdout);
}

static void fill(struct record *records, uint32_t count) {
    uint64_t hash = 0;
    for (uint32_t part = 1, i = 0; part <= PARTS; part++) {
        for (uint32_t end = (uint32_t)((uint64_t)count * part / PARTS); i < end; i++) {
            uint32_t key = scramble(i);
            records[i] = (struct record){ key, key ^ i };
            for (uint32_t pass = 0; pass < PASSES; pass++) counts[pass][key >> pass * DIGIT_BITS & (DIGITS - 1)]++;
            hash = mix(hash, key);
        }
        progress("fill", part, hash);
    }
}

static void sort_pass(const struct record *from, struct record *to, uint32_t count, uint32_t pass) {
    static uint32_t place[DIGITS];
    uint32_t sum = 0;
    for (uint32_t d = 0; d < DIGITS; d++) { place[d] = sum; sum += counts[pass][d]; }

    char name[16];
    snprintf(name, sizeof name, "sort %u/%u", (unsigned)pass + 1, (unsigned)PASSES);
    uint64_t hash = 0;
    for (uint32_t part = 1, i = 0; part <= PARTS; part++) {
        for (uint32_t end = (uint32_t)((uint64_t)count * part / PARTS); i < end; i++) {
            uint32_t at = place[from[i].key >> pass * DIGIT_BITS & (DIGITS - 1)]++;
            to[at] = from[i];
            hash = mix(hash, at);
        }
        progress(name, part, hash);
    }
}

/* Every record must still be one that was made, none twice, and all in order. */
static int check(const struct record *records, uint32_t count, uint64_t *hash) {
    uint64_t origins = 0;
    for (uint32_t part = 1, i = 0; part <= PARTS; part++) {
        for (uint32_t end = (uint32_t)((uint64_t)count * part / PARTS); i < end; i++) {
            uint32_t origin = records[i].key ^ records[i].payload;
            if (origin >= count || scramble(origin) != records[i].key) return 0;
            /* scramble() maps no two numbers to one: equal neighbours would be one record twice */
            if (i && records[i - 1].key >= records[i].key) return 0;
            origins += origin;
            *hash = mix(*hash, records[i].key);
        }
        progress("check", part, *hash);
    }
    return origins == (uint64_t)count * (count - 1) / 2;
}

int main(int argc, char **argv) {
    uint32_t mib = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1024;
    if (mib < 2 || mib > 3072) { fputs("usage: records [MIB], 2 to 3072\n", stderr); return 2; }
    uint32_t count = (uint32_t)(((uint64_t)mib << 19) / sizeof(struct record));
    struct record *one = malloc((size_t)count * sizeof *one), *other = malloc((size_t)count * sizeof *other);
    if (!one || !other) { fprintf(stderr, "records: no memory for %u MiB\n", mib); return 9; }

    printf("records: %u records in %u MiB\n", count, mib);
    fill(one, count);
    for (uint32_t pass = 0; pass < PASSES; pass++) {
        sort_pass(one, other, count, pass);
        struct record *swap = one; one = other; other = swap;
    }
    uint64_t hash = 0;
    int good = check(one, count, &hash);
    printf("records: %s, checksum %016llx\n", good ? "sorted" : "NOT SORTED", (unsigned long long)hash);
    return good ? 0 : 1;
}
