/* Linked into the native build of every program: writes the line that all measured processes write (ChildReport), and,
   where it is asked for, the byte that says that the program has begun (MarkedModule). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct timespec begun;

static double seconds_since(struct timespec from) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from.tv_sec) + (double)(now.tv_nsec - from.tv_nsec) * 1e-9;
}

static long peak_kib(void) {
    static const char field[] = "VmHWM:";
    char line[256];
    long found = 0;
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) return 0;
    while (fgets(line, sizeof line, status))
        if (strncmp(line, field, sizeof field - 1) == 0) found = strtol(line + sizeof field - 1, NULL, 10);
    fclose(status);
    return found;
}

__attribute__((constructor)) static void begin(void) {
    clock_gettime(CLOCK_MONOTONIC, &begun);
    const char *mark = getenv("EVERHEAP_BENCH_MARK");
    if (mark && write(STDOUT_FILENO, mark, 1) != 1) _exit(9);
}

__attribute__((destructor)) static void end(void) {
    fprintf(stderr, "child: run=%.6f peak_kib=%ld\n", seconds_since(begun), peak_kib());
}
