#!/usr/bin/env bash
# Fetches Debian's newest cloud kernel of a series and prints the path of its image. It
# is unpacked into the cache, never installed; what is in the cache is used as it is.
# Usage: scripts/kernels/fetch.sh SERIES CACHE      for example 6.12 test/.cache/kernels
set -euo pipefail

series=$1
folder=$2/$series

image_in() {
  find "$1" -maxdepth 1 -name 'vmlinuz-*' -print -quit 2>/dev/null
}

newest_package() {
  apt-cache search --names-only "^linux-image-${series//./\\.}\..*-cloud-amd64\$" |
    cut -d' ' -f1 | sort -V | tail -n 1
}

# Downloads and unpacks the newest package that apt's lists name.
download() {
  local package work
  package=$(newest_package)
  [[ -n $package ]] || return 1
  echo "Fetching $package" >&2
  work=$(mktemp -d)
  if (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package" >&2); then
    dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" ./boot
    rm -rf "$folder"
    mkdir -p "$folder"
    mv "$work"/boot/vmlinuz-* "$folder/"
  fi
  rm -rf "$work"
  [[ -n $(image_in "$folder") ]]
}

if [[ -z $(image_in "$folder") ]]; then
  # Lists that are missing or stale are the usual reason for a failure.
  download || { apt-get update -qq </dev/null >&2 && download; } || {
    echo "apt finds no linux-image-$series.*-cloud-amd64. Debian 12 has it in its security" \
      "suite; add that, or bookworm-backports, to apt's sources." >&2
    exit 1
  }
fi
image_in "$folder"
