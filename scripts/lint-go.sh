#!/usr/bin/env bash
# Every check of the Go client and of what uses it that runs nothing: format, vet,
# staticcheck, tidy modules. Usage: scripts/lint-go.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/clients/go/tools/go.mod

for module in clients/go examples/go-blocklist bench/go; do
  unformatted=$(gofmt -l "$module")
  if [[ -n $unformatted ]]; then
    printf 'Not formatted (gofmt -w):\n%s\n' "$unformatted" >&2
    exit 1
  fi
  (
    cd "$module"
    go vet ./...
    go tool -modfile="$tools" staticcheck ./...
    go mod tidy -diff
  )
done
# Vetting ten lines that stand on all of etcd would build all of etcd.
[[ -z $(gofmt -l test/fleet/etcd) ]]
(cd clients/go/tools && go vet ./... && go mod tidy -diff)
