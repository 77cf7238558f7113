/* maze [SIZE] [MAZES]: carves mazes of SIZE x SIZE cells by going from cell to unvisited cell, a call for each
   step, and then searches its way from corner to corner, again a call for each step. With the default size the
   calls are well over 100,000 deep. A small maze is drawn. The output depends on the arguments alone. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EAST 1
#define WEST 2
#define SOUTH 4
#define NORTH 8
#define CARVED 16
#define TRIED 32
#define ON_PATH 64

#define DRAWN_SIZE_MAX 16

static uint8_t *cells;
static uint32_t size, seed, depth_max, path_length;

static uint32_t next_random(void) {
    seed ^= seed << 13; seed ^= seed >> 17; seed ^= seed << 5;
    return seed;
}

static uint8_t opposite(uint8_t direction) {
    return direction == EAST ? WEST : direction == WEST ? EAST : direction == SOUTH ? NORTH : SOUTH;
}

/* The neighbour's index, or the cell's own if the maze ends there. */
static uint32_t neighbour(uint32_t cell, uint8_t direction) {
    uint32_t x = cell % size, y = cell / size;
    switch (direction) {
    case EAST: return x + 1 < size ? cell + 1 : cell;
    case WEST: return x > 0 ? cell - 1 : cell;
    case SOUTH: return y + 1 < size ? cell + size : cell;
    default: return y > 0 ? cell - size : cell;
    }
}

static __attribute__((noinline)) uint32_t carve(uint32_t cell, uint32_t depth) {
    if (depth > depth_max) depth_max = depth;
    cells[cell] |= CARVED;
    uint32_t count = 1;
    uint32_t start = next_random() & 3, turn = next_random() & 1 ? 1 : 3;
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t direction = (uint8_t)(1u << ((start + i * turn) & 3));
        uint32_t next = neighbour(cell, direction);
        if (!(cells[next] & CARVED)) {
            cells[cell] |= direction;
            cells[next] |= opposite(direction);
            count += carve(next, depth + 1);
        }
    }
    return count;
}

static __attribute__((noinline)) uint32_t search(uint32_t cell, uint32_t goal, uint32_t depth) {
    if (depth > depth_max) depth_max = depth;
    cells[cell] |= TRIED;
    if (cell == goal) {
        cells[cell] |= ON_PATH;
        return 1;
    }
    for (uint8_t direction = EAST; direction <= NORTH; direction <<= 1) {
        if (!(cells[cell] & direction)) continue;
        uint32_t next = neighbour(cell, direction);
        if (cells[next] & TRIED) continue;
        uint32_t length = search(next, goal, depth + 1);
        if (length) {
            cells[cell] |= ON_PATH;
            return length + 1;
        }
    }
    return 0;
}

static void draw(void) {
    for (uint32_t y = 0; y < size; y++) {
        for (uint32_t x = 0; x < size; x++) fputs(cells[y * size + x] & NORTH ? "+  " : "+--", stdout);
        puts("+");
        for (uint32_t x = 0; x < size; x++) {
            uint8_t cell = cells[y * size + x];
            fputs(cell & WEST ? " " : "|", stdout);
            fputs(cell & ON_PATH ? " *" : "  ", stdout);
        }
        puts("|");
    }
    for (uint32_t x = 0; x < size; x++) fputs("+--", stdout);
    puts("+");
}

int main(int argc, char **argv) {
    size = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 900;
    uint32_t mazes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 300;
    if (size < 2 || size > 2000 || !mazes) { fputs("usage: maze [SIZE, 2 to 2000] [MAZES]\n", stderr); return 2; }
    cells = malloc((size_t)size * size);
    if (!cells) { fputs("maze: out of memory\n", stderr); return 9; }

    for (uint32_t maze = 1; maze <= mazes; maze++) {
        seed = maze * 2654435761u;
        memset(cells, 0, (size_t)size * size);
        depth_max = 0;
        uint32_t carved = carve(0, 1), carve_depth = depth_max;
        depth_max = 0;
        path_length = search(0, size * size - 1, 1);
        uint64_t hash = 0xcbf29ce484222325ull;
        for (uint32_t i = 0; i < size * size; i++) hash = (hash ^ cells[i]) * 0x100000001b3ull;
        printf("maze %u: %u cells carved %u deep, path of %u found %u deep, %016llx\n", maze, carved, carve_depth,
               path_length, depth_max, (unsigned long long)hash);
        if (size <= DRAWN_SIZE_MAX) draw();
        fflush(stdout);
        if (carved != size * size || !path_length) return 1;
    }
    return 0;
}
