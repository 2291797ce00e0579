#!/usr/bin/env bash
# Runs test/kernels/guest on other kernels, each booted once in QEMU, and fails where
# one of them fails or does not end in time. See docs/kernels.md.
# Usage: scripts/kernels/test.sh SERIES...                  for example 6.1 6.12
#        scripts/kernels/test.sh --shell SERIES             a shell in a guest
# TESTS=WORDS runs only the files whose names contain a word, as vitest's arguments do.
# BPFMAPD_MODEL_SEED, _SEEDS and _STEPS are for the watch model, as on the host.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=test/.cache/kernels
results=test/.tmp/kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ $(uname -m) != x86_64 ]]; then
  echo "The guests are x86-64 machines that run this machine's Node; this one is $(uname -m)." >&2
  exit 1
fi

shell=
if [[ ${1:-} == --shell ]]; then
  shell=yes
  shift
fi
[[ $# -gt 0 ]] || { sed -n '4,7s/^# //p' "$0" >&2; exit 2; }

mkdir -p "$results"
for series in "$@"; do
  rm -f "$results/$series".*
done
for series in "$@"; do
  scripts/kernels/fetch.sh "$series" "$cache" >"$work/$series"
done
scripts/kernels/image.sh "$work/image"

# Boots one series; further arguments are the guest's variables.
boot() {
  local series=$1
  shift
  scripts/kernels/boot.sh "$(cat "$work/$series")" "$work/image" \
    "$results/$series.log" "$results/$series.json" "$@"
}

if [[ -n $shell ]]; then
  boot "$1" RUN=shell
  exit
fi

variables=(RUN=tests "\"TESTS=${TESTS:-}\"") # The command line keeps quoted spaces together.
for name in BPFMAPD_MODEL_SEED BPFMAPD_MODEL_SEEDS BPFMAPD_MODEL_STEPS; do
  [[ -z ${!name:-} ]] || variables+=("$name=${!name}")
done

# All at once: a guest keeps one CPU of the host busy.
guests=()
for series in "$@"; do
  echo "--- Linux $series ($(basename "$(cat "$work/$series")"))"
  boot "$series" "${variables[@]}" > >(sed -u "s/^/$series: /") 2>&1 &
  guests+=("$!")
done
failed=()
for series in "$@"; do
  wait "${guests[0]}" || failed+=("$series")
  guests=("${guests[@]:1}")
done

echo
for series in "$@"; do
  echo "Linux $series: $(node scripts/count-tests.mjs "$results/$series.json")"
done
if [[ ${#failed[@]} -gt 0 ]]; then
  echo "Failed on Linux ${failed[*]}; what the guests printed is in $results." >&2
  exit 1
fi
