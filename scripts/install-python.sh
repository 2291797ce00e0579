#!/usr/bin/env bash
# Makes clients/python/.venv with what generates, checks and tests the Python client.
# Python comes from Debian's packages where there is none that is new enough. Another one
# can be named: PYTHON=python3.13 scripts/install-python.sh
set -euo pipefail
cd "$(dirname "$0")/.."

is_good() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=${PYTHON:-python3}
if ! is_good "$python"; then
  if [[ -n ${PYTHON:-} ]]; then
    echo "$PYTHON is not Python 3.11 or later with venv." >&2
    exit 1
  fi
  python=/usr/bin/python3
  is_good "$python" || scripts/install-packages.sh python3-venv
  if ! is_good "$python"; then
    echo "No Python 3.11 or later with venv was found: name one with PYTHON=..." >&2
    exit 1
  fi
fi

venv=clients/python/.venv
"$python" -m venv --clear "$venv"
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install -r clients/python/requirements-dev.txt </dev/null
# The package itself, from its source.
"${pip[@]}" install --no-deps --no-build-isolation --editable clients/python </dev/null
