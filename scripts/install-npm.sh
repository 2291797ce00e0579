#!/usr/bin/env bash
# Installs the npm packages of package-lock.json. No install script of a dependency
# runs (.npmrc): all native parts come as packages per platform.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "Missing: node and npm. Install Node.js 20.6 or later." >&2
  exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 6) ? 0 : 1)'; then
  echo "Node.js $(node --version) is too old: bpfmapd needs 20.6 or later." >&2
  exit 1
fi

npm ci --no-audit --no-fund </dev/null
