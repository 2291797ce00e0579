#!/usr/bin/env bash
# Fails where the contract in proto/ breaks the contract that clients rely on.
#
# What clients rely on is the newest of
#   - the last release tag (v*),
#   - the last commit whose message has a line "BREAKING CHANGE: ..." (the footer of
#     Conventional Commits): a break that was meant and said,
#   - the first commit that has the contract.
# All of these lie in the history of HEAD, so a clone with one branch is enough, and
# so is a shallow one: there the oldest commit stands for the first.
# BREAKING_AGAINST=<commit> compares with another commit.
set -euo pipefail
cd "$(dirname "$0")/.."

baseline() {
  local tag broke first
  tag=$(git describe --tags --abbrev=0 --match 'v*' HEAD 2>/dev/null || true)
  broke=$(git log -1 --format=%H --grep '^BREAKING CHANGE: ' HEAD)
  first=$(git log --reverse --format=%H HEAD -- proto | head -n 1)
  for candidate in "$tag" "$broke" "$first"; do
    [[ -z $candidate ]] || git rev-parse "$candidate^{commit}"
  done | xargs -r git rev-list --no-walk -1
}

against=${BREAKING_AGAINST:-$(baseline)}
if [[ -z $against ]]; then
  echo "No earlier contract in this history: nothing to compare with."
  exit 0
fi
echo "Contract compared with $(git log -1 --format='%h %s' "$against")"
npx --no-install buf breaking --against ".git#ref=$against"
