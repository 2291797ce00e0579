#!/usr/bin/env bash
# Fails where files under the given paths differ from what git has, new files included.
# Usage: scripts/check-unchanged.sh PATH...
set -euo pipefail
cd "$(dirname "$0")/.."

git diff --exit-code HEAD -- "$@"
unknown=$(git ls-files --others --exclude-standard -- "$@")
if [[ -n $unknown ]]; then
  printf 'Not in git:\n%s\n' "$unknown" >&2
  exit 1
fi
