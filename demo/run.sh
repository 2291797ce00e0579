#!/usr/bin/env bash
# A walk through bpfmapctl on real kernel maps, then a million elements beside bpftool.
# Leaves nothing behind: no process, map, pin, mount or file, also when it is interrupted.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

pin=/sys/fs/bpf/stats_map
work=$(mktemp -d)
export BPFMAPCTL_ADDRESS=unix:$work/run/bpfmapd.sock
mounted=()
pinned=()
daemon=

clean_up() {
  set +e
  trap - EXIT
  if [[ -n $daemon ]]; then
    kill "$daemon" 2>/dev/null
    wait "$daemon" 2>/dev/null
  fi
  for path in "${pinned[@]}"; do rm -f "$path"; done
  for path in "${mounted[@]}"; do umount "$path"; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# Prints a command as one would type it, then runs it.
show() {
  printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
  "$@"
}

bpfmapctl() { node dist/cli/main.js "$@"; }

mount_bpffs() {
  mkdir -p "$1"
  mount -t bpf bpf "$1"
  mounted=("$1" "${mounted[@]}") # the last one is unmounted first
}

# Runs a command of bpftool on a million elements, without its output, and prints the rate.
show_rate() {
  printf '\n%s$ %s > /dev/null%s\n' "$bold" "$*" "$plain"
  local start end
  start=$(date +%s%N)
  "$@" >/dev/null
  end=$(date +%s%N)
  LC_ALL=C awk -v ns=$((end - start)) 'BEGIN {
    printf "bpftool: 1000000 elements in %.2f s, %.2f million a second\n", ns / 1e9, 1e3 / (ns / 1e6)
  }'
}

start_daemon() {
  # The first root is where the daemon keeps its holds: a bpffs of the demo's own.
  node dist/daemon/main.js --socket "$work/run/bpfmapd.sock" \
    --bpffs-root "$work/bpf" --bpffs-root /sys/fs/bpf --log-level warn 2>"$work/log" &
  daemon=$!
  for _ in $(seq 100); do
    if bpfmapctl host >/dev/null 2>&1; then return; fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
  done
  echo "The daemon does not serve. Its log:" >&2
  cat "$work/log" >&2
  exit 1
}

walk() {
  say "A map of 2-byte keys and 2-byte values, pinned at $pin"
  pinned+=("$pin")
  show bpfmapctl map create "$pin" type hash key 2 value 2 entries 8 name stats_map
  show bpfmapctl map list
  show bpfmapctl map update pinned "$pin" key hex c1 c2 value hex a1 a2
  show bpfmapctl map dump pinned "$pin"
  show bpfmapctl map lookup pinned "$pin" key hex c1 c2
  say "The same map, read by bpftool"
  show bpftool -j map dump pinned "$pin"
  say "Which map types this kernel has"
  show bpfmapctl feature probe
  say "Delete the element; remove the pin, and the kernel frees the map"
  show bpfmapctl map delete pinned "$pin" key hex c1 c2
  show bpfmapctl map dump pinned "$pin"
  show bpfmapctl map unpin "$pin"
}

million() {
  local map=$work/bpf/million
  say "A million elements of 4+8 bytes: into a hash map, and out of it again"
  show bpfmapctl map create "$map" type hash key 4 value 8 entries 1000000 name million
  show node demo/million.mjs load "$BPFMAPCTL_ADDRESS" "$map"
  show node demo/million.mjs dump "$BPFMAPCTL_ADDRESS" "$map"
  show bpfmapctl map count pinned "$map"
  say "The same with bpftool"
  node demo/million.mjs batch "$map" >"$work/batch"
  bpfmapctl map clear pinned "$map" >/dev/null
  show_rate bpftool batch file "$work/batch"
  show_rate bpftool -j map dump pinned "$map"
}

if ! mountpoint -q /sys/fs/bpf; then
  mount_bpffs /sys/fs/bpf
fi
if [[ -e $pin ]]; then
  echo "Something is pinned at $pin already. The demo would use that path; it has changed nothing." >&2
  exit 1
fi
mount_bpffs "$work/bpf"
start_daemon
walk
million
say "Done. The demo ends its daemon and removes what it made."
