/* hello [NAME...]: greets, counts the lines of standard input, names its environment, and exits with the number of
   names: the smallest tour of what a command-line program asks of its host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) printf("Hello, %s!\n", argv[i]);
    for (char **entry = environ; entry && *entry; entry++) printf("environment: %s\n", *entry);

    unsigned long lines = 0, bytes = 0;
    char buffer[512];
    while (fgets(buffer, sizeof buffer, stdin)) {
        size_t length = strlen(buffer);
        bytes += length;
        if (length && buffer[length - 1] == '\n') lines++;
    }
    printf("standard input: %lu lines, %lu bytes\n", lines, bytes);
    fputs("hello: done\n", stderr);
    return argc - 1;
}
