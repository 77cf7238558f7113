#!/bin/sh
# Builds every sample. Versions of the tools: see README.md.
# --no-wasm-opt: clang would otherwise run any wasm-opt it finds, which drops the name section.
set -e
cd "$(dirname "$0")"
for source in src/*.c; do
    name=$(basename "$source" .c)
    clang-22 --target=wasm32-wasi -Wno-deprecated --no-wasm-opt -Wall -Wextra -O2 -Wl,--strip-debug \
        "$source" -o "$name.wasm"
    chmod 644 "$name.wasm"
done
