#!/usr/bin/env bash
# Tells what tests left behind on the host: maps, pins, mounts, network namespaces, processes.
# Usage: scripts/leftovers.sh list            prints what is there, one thing a line
#        scripts/leftovers.sh check BEFORE    fails where there is more than in file BEFORE
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# Maps of type prog_array are left out: the kernel keeps one for ever, with nobody to blame,
# where somebody opens it by id in the moment after its last close, as every listing of all
# maps does. prog_array_map_clear (kernel/bpf/arraymap.c) takes a reference for its work,
# and a second one where that work is queued already, but the work gives back one.
list() {
  bpftool map list | sed -n '/^[0-9]*: prog_array /d; s/^\([0-9]*\): \([a-z_]*\)  \(name [^ ]*\)\?.*/map \1 \2 \3/p'
  while read -r mount; do
    echo "mount $mount"
    find "$mount" -xdev -mindepth 1 -not -name '*.debug' -printf 'pin %p\n' 2>/dev/null || true
  done < <(awk '$3 == "bpf" { print $2 }' /proc/mounts)
  ip netns list | awk '{ print "netns " $1 }'
  pgrep -af 'dist/(daemon|cli)/main\.js|bpfmapd-etcd-' | sed 's/^/process /' || true
}

check() {
  local before=$1 extra
  # The kernel frees a map a little after its last reference went.
  for _ in $(seq 20); do
    extra=$(list | sort | comm -13 <(sort "$before") -)
    [[ -n $extra ]] || return 0
    sleep 1
  done
  printf 'Left behind:\n%s\n' "$extra" >&2
  return 1
}

case ${1:-} in
  list) list ;;
  check) check "$2" ;;
  *)
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
    ;;
esac
