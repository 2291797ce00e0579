#!/usr/bin/env bash
# Ends with a clear message where the caller is not root.
# Usage: scripts/require-root.sh "make test"
set -euo pipefail

if [[ $(id -u) -ne 0 ]]; then
  echo "$1 creates and reads real kernel maps, which needs root: run 'sudo $1'." >&2
  exit 1
fi
