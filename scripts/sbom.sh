#!/usr/bin/env bash
# Writes the software bill of materials, CycloneDX as JSON, from package-lock.json.
# Usage: scripts/sbom.sh FILE
set -euo pipefail
file=$(realpath -m "$1")
cd "$(dirname "$0")/.."

# All packages, those for development marked as such: with --omit=dev, npm leaves out
# those that are for both.
mkdir -p "$(dirname "$file")"
npm sbom --package-lock-only --sbom-format cyclonedx </dev/null >"$file"
