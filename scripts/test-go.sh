#!/usr/bin/env bash
# Tests clients/go with the race detector, on real maps of daemons from dist/. Writes what
# `go test -json` says to test/.tmp/go.json. Usage: scripts/test-go.sh [GO-TEST-FLAG...]
set -euo pipefail
cd "$(dirname "$0")/.."

report=$PWD/test/.tmp/go.json
mkdir -p "$(dirname "$report")"
# -count=1: the daemon may have changed where the Go code has not.
(cd clients/go && go test -race -count=1 -json "$@" ./...) | tee "$report" | node scripts/print-go-tests.mjs
