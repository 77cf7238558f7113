/* words IN OUT [ROUNDS]: reads every .txt file of the folder IN, 50 times in each of ROUNDS rounds, counts its words,
   and writes into the folder OUT: index.txt with every word, its count and the files it is in, progress.log with a
   line for each round. index.txt is written anew in each round under another name and then renamed into place. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READS_PER_ROUND 50
#define FILES_MAX 32 /* a bit for each in word.files */
#define WORD_LENGTH_MAX 63
#define PATH_LENGTH_MAX 1024

struct word {
    char *text;
    uint64_t count;
    uint32_t files;
};

static struct word *table;
static uint32_t capacity, used;
static char *names[FILES_MAX];
static uint32_t name_count;

static void fail(const char *what, const char *path) {
    fprintf(stderr, "words: cannot %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static const char *join(const char *folder, const char *name) {
    static char path[PATH_LENGTH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static uint32_t hash_of(const char *text) {
    uint32_t hash = 2166136261u;
    for (; *text; text++) hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

static struct word *slot_of(struct word *in, uint32_t slots, const char *text) {
    uint32_t at = hash_of(text) & (slots - 1);
    while (in[at].text && strcmp(in[at].text, text) != 0) at = (at + 1) & (slots - 1);
    return &in[at];
}

static void grow(void) {
    uint32_t slots = capacity ? capacity * 2 : 1024;
    struct word *bigger = calloc(slots, sizeof *bigger);
    if (!bigger) fail("grow", "the table");
    for (uint32_t i = 0; i < capacity; i++) if (table[i].text) *slot_of(bigger, slots, table[i].text) = table[i];
    free(table);
    table = bigger;
    capacity = slots;
}

static void count_word(const char *text, uint32_t file) {
    if (used * 2 >= capacity) grow();
    struct word *word = slot_of(table, capacity, text);
    if (!word->text) {
        word->text = strdup(text);
        if (!word->text) fail("keep", text);
        used++;
    }
    word->count++;
    word->files |= 1u << file;
}

static void read_file(const char *folder, uint32_t file) {
    FILE *in = fopen(join(folder, names[file]), "r");
    if (!in) fail("open", join(folder, names[file]));
    char text[WORD_LENGTH_MAX + 1];
    uint32_t length = 0;
    for (int c; (c = fgetc(in)) != EOF;) {
        if (isalpha(c)) {
            if (length < WORD_LENGTH_MAX) text[length++] = (char)tolower(c);
        } else if (length) {
            text[length] = 0;
            count_word(text, file);
            length = 0;
        }
    }
    if (length) {
        text[length] = 0;
        count_word(text, file);
    }
    if (ferror(in)) fail("read", names[file]);
    fclose(in);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int by_count(const void *a, const void *b) {
    const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

/* The order of a folder's entries is the host's: sorted here, so that it shows nowhere. */
static void list_files(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) fail("open folder", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0 && name_count < FILES_MAX)
            names[name_count++] = strdup(entry->d_name);
    }
    closedir(dir);
    qsort(names, name_count, sizeof *names, by_name);
}

static void write_index(const char *folder) {
    struct word **order = malloc(used * sizeof *order);
    if (!order && used) fail("sort", "the words");
    uint32_t n = 0;
    for (uint32_t i = 0; i < capacity; i++) if (table[i].text) order[n++] = &table[i];
    qsort(order, n, sizeof *order, by_count);

    FILE *out = fopen(join(folder, "index.tmp"), "w");
    if (!out) fail("create", join(folder, "index.tmp"));
    for (uint32_t i = 0; i < n; i++) {
        fprintf(out, "%8llu %s", (unsigned long long)order[i]->count, order[i]->text);
        for (uint32_t f = 0; f < name_count; f++) if (order[i]->files >> f & 1) fprintf(out, " %s", names[f]);
        fputc('\n', out);
    }
    if (fclose(out) != 0) fail("write", "index.tmp");
    free(order);

    char from[PATH_LENGTH_MAX];
    strcpy(from, join(folder, "index.tmp"));
    if (rename(from, join(folder, "index.txt")) != 0) fail("rename", from);
}

int main(int argc, char **argv) {
    if (argc < 3) { fputs("usage: words IN OUT [ROUNDS]\n", stderr); return 2; }
    uint32_t rounds = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1000;

    list_files(argv[1]);
    long long bytes = 0;
    for (uint32_t f = 0; f < name_count; f++) {
        struct stat status;
        if (stat(join(argv[1], names[f]), &status) != 0) fail("look at", names[f]);
        bytes += status.st_size;
    }
    printf("words: %u files, %lld bytes\n", name_count, bytes);

    FILE *log = fopen(join(argv[2], "progress.log"), "w");
    if (!log) fail("create", join(argv[2], "progress.log"));
    for (uint32_t round = 1; round <= rounds; round++) {
        for (uint32_t i = 0; i < READS_PER_ROUND * name_count; i++) read_file(argv[1], i % name_count);
        write_index(argv[2]);
        uint64_t total = 0;
        for (uint32_t i = 0; i < capacity; i++) total += table[i].count;
        fprintf(log, "round %u: %u words, %llu in all\n", round, used, (unsigned long long)total);
        fflush(log);
        printf("round %u of %u: %u words, %llu in all\n", round, rounds, used, (unsigned long long)total);
        fflush(stdout);
    }
    fclose(log);
    return 0;
}
