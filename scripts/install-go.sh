#!/usr/bin/env bash
# Installs Go where there is none, or one that is too old for clients/go and cannot fetch
# a newer one by itself, as it does from Go 1.21 on. Debian's package is tried first, then
# the release for this machine from go.dev, into test/.cache/go (which the Makefile has on
# its PATH). Usage: scripts/install-go.sh
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=$(sed -n 's/^go //p' clients/go/go.mod)
cache=$PWD/test/.cache
PATH=$cache/go/bin:$PATH

# Asked inside the module, so that a toolchain that Go fetches itself counts.
is_there() {
  local have
  have=$(cd clients/go && go env GOVERSION 2>/dev/null) || return 1
  [[ $(printf '%s\n' "${have#go}" "$wanted" | sort -V | head -n 1) == "$wanted" ]]
}

candidate() {
  apt-cache policy golang-go 2>/dev/null | sed -n 's/^ *Candidate: *[0-9]*:\?\([0-9.]*\).*/\1/p'
}

from_debian() {
  command -v apt-get >/dev/null && [[ $(id -u) -eq 0 ]] || return 1
  apt-get update -qq </dev/null || return 1
  [[ $(printf '%s\n' "$(candidate)" 1.21 | sort -V | head -n 1) == 1.21 ]] || return 1
  scripts/install-packages.sh go && is_there
}

from_release() {
  local machine release archive sum
  case $(uname -m) in
    x86_64) machine=amd64 ;;
    aarch64) machine=arm64 ;;
    *) return 1 ;;
  esac
  # The first release in the list is the newest.
  release=$(curl -fsSL --retry 2 'https://go.dev/dl/?mode=json' |
    node -e 'const [{ files }] = JSON.parse(require("fs").readFileSync(0, "utf8"));
      const file = files.find((f) => f.os === "linux" && f.arch === process.argv[1] && f.kind === "archive");
      console.log(file.filename, file.sha256);' "$machine") || return 1
  read -r archive sum <<<"$release"
  mkdir -p "$cache"
  curl -fsSL --retry 2 -o "$cache/$archive" "https://go.dev/dl/$archive" || return 1
  echo "$sum  $cache/$archive" | sha256sum --check --quiet || return 1
  rm -rf "$cache/go"
  tar -C "$cache" -xzf "$cache/$archive"
  rm "$cache/$archive"
  is_there
}

is_there && exit 0
echo "Installing Go $wanted or newer" >&2
from_debian || from_release && exit 0
echo "Go $wanted or newer is needed for clients/go, and could be had neither from Debian's" \
  "packages nor from go.dev: install it and try again." >&2
exit 1
