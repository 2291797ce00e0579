#!/usr/bin/env bash
# Builds grpcurl, which a test drives the daemon's reflection with, where it is missing.
# Go comes from Debian's packages where there is none. Usage: scripts/install-grpcurl.sh
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/test/.cache/bin
[[ ! -x $bin/grpcurl ]] || exit 0
command -v go >/dev/null || scripts/install-packages.sh go
echo "Building grpcurl" >&2
GOBIN=$bin GOFLAGS=-modcacherw go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
