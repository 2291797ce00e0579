#!/usr/bin/env bash
# Runs a command that sees the directory of a daemon's socket as /run/bpfmapd, where the
# default address is. Needs root. Usage: at-default-address.sh DIRECTORY COMMAND [ARGUMENT...]
set -euo pipefail

directory=$1
shift
# In a mount namespace of its own: nobody else sees it, and it goes with the command.
# shellcheck disable=SC2016 # the arguments are those of the inner shell
exec unshare --mount --propagation private bash -euc '
  exec 3<"$1"
  mount -t tmpfs tmpfs /run
  mkdir /run/bpfmapd
  mount --bind /proc/self/fd/3 /run/bpfmapd
  exec 3<&-
  shift
  exec "$@"
' bash "$directory" "$@"
