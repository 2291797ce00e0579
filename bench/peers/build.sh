#!/usr/bin/env bash
# Compiles the peers written in C.
# Usage: bench/peers/build.sh DIRECTORY
set -euo pipefail

mkdir -p "$1"
for source in "$(dirname "$0")"/*.c; do
  gcc -O2 -Wall -Wextra -o "$1/$(basename "$source" .c)" "$source"
done
