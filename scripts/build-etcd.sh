#!/usr/bin/env bash
# Builds etcd from its Go module, of the version in test/fleet/etcd/go.mod: a minute or two the
# first time. Usage: scripts/build-etcd.sh PROGRAM
set -euo pipefail
program=$(realpath -m "$1")
cd "$(dirname "$0")/../test/fleet/etcd"

# Go's own cache makes it quick where nothing has changed.
go build -trimpath -o "$program" .
"$program" --version >&2
