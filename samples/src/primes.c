/* primes [LINES] [SPAN]: sieves the numbers in LINES blocks of SPAN numbers each, and prints a line after every
   block: how many primes there are so far, how many pairs of twins, and the widest gap with the prime it follows.
   The defaults run for about a minute, with a line about every half second. The program never looks at a clock:
   its output depends on its arguments alone. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers sieved at a time, one byte each: small enough for a processor's second-level cache. */
#define SEGMENT 262144u

static uint8_t composite[SEGMENT];

struct base {
    uint32_t prime;
    uint64_t next; /* the next odd multiple to strike out */
};

static struct base *bases;
static uint32_t base_count, base_capacity;

static uint64_t prime_count, twin_count, gap_width, gap_start, last_prime;

static void add_base(uint32_t prime) {
    if (base_count == base_capacity) {
        base_capacity = base_capacity ? base_capacity * 2 : 1024;
        bases = realloc(bases, base_capacity * sizeof *bases);
        if (!bases) { fputs("primes: out of memory\n", stderr); exit(9); }
    }
    bases[base_count++] = (struct base){ prime, (uint64_t)prime * prime };
}

static int is_prime(uint32_t n) {
    for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2) if (n % d == 0) return 0;
    return 1;
}

/* Makes sure that every odd prime up to the square root of `end` is a base. */
static void extend_bases(uint64_t end) {
    static uint32_t candidate = 3;
    while ((uint64_t)candidate * candidate < end) {
        if (is_prime(candidate)) add_base(candidate);
        candidate += 2;
    }
}

static void found(uint64_t prime) {
    prime_count++;
    if (last_prime) {
        uint64_t gap = prime - last_prime;
        if (gap == 2) twin_count++;
        if (gap > gap_width) { gap_width = gap; gap_start = last_prime; }
    }
    last_prime = prime;
}

/* Counts the primes from `start` (even) up to, not including, start + length. */
static void sieve(uint64_t start, uint32_t length) {
    uint64_t end = start + length;
    extend_bases(end);
    memset(composite, 0, length);
    for (uint32_t b = 0; b < base_count; b++) {
        uint64_t step = 2ull * bases[b].prime, at = bases[b].next;
        for (; at < end; at += step) composite[at - start] = 1;
        bases[b].next = at;
    }
    if (start == 0) found(2);
    for (uint32_t i = start == 0 ? 3 : 1; i < length; i += 2) if (!composite[i]) found(start + i);
}

int main(int argc, char **argv) {
    uint32_t lines = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 120;
    uint32_t span = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 250000000;
    span &= ~1u;
    if (!lines || !span) { fputs("usage: primes [LINES] [SPAN]\n", stderr); return 2; }

    for (uint32_t line = 1; line <= lines; line++) {
        uint64_t from = (uint64_t)(line - 1) * span, to = from + span;
        for (uint64_t at = from; at < to; at += SEGMENT) sieve(at, to - at < SEGMENT ? (uint32_t)(to - at) : SEGMENT);
        printf("%3u%% below %llu: %llu primes, %llu twins, widest gap %llu after %llu\n", line * 100 / lines,
               (unsigned long long)to, (unsigned long long)prime_count, (unsigned long long)twin_count,
               (unsigned long long)gap_width, (unsigned long long)gap_start);
        fflush(stdout);
    }
    return 0;
}
