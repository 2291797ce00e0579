#!/usr/bin/env bash
# Builds wheel and sdist, checks what is in them, installs each alone into a new virtual
# environment, and runs programs with it. Usage: check-wheel.sh [DIRECTORY PROGRAM...]
# where DIRECTORY is that of a daemon's socket, which the programs find at the default address.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/.."

python=$PWD/.venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --no-isolation --outdir "$work/dist" . >/dev/null
"$python" -m twine check --strict "$work"/dist/*
"$python" scripts/list_wheel.py "$work"/dist/*.whl
# From the sdist too, as others pack it.
mkdir "$work/sdist"
tar -xzf "$work"/dist/*.tar.gz -C "$work/sdist" --strip-components 1
"$python" -m build --no-isolation --wheel --outdir "$work/again" "$work/sdist" >/dev/null
"$python" scripts/list_wheel.py "$work"/again/*.whl

cd "$work"
for artifact in dist/*.whl dist/*.tar.gz; do
  rm -rf venv
  # The pip of our own environment: one of theirs would take longer to install than all else.
  "$python" -m venv --without-pip venv
  pip=("$python" -m pip --disable-pip-version-check --python venv/bin/python)
  "${pip[@]}" --quiet install "$artifact"
  "${pip[@]}" check
  venv/bin/python -W error -c \
    'import bpfmapd.aio, bpfmapd.proto; print("bpfmapd", bpfmapd.__version__, "'"${artifact##*.}"'")'
  for program in "${@:2}"; do
    "$scripts/at-default-address.sh" "$1" "$work/venv/bin/python" -W error "$program"
  done
done
