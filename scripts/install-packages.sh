#!/usr/bin/env bash
# Installs tools from Debian's packages, those that are missing only.
# Usage: scripts/install-packages.sh TOOL...
set -euo pipefail

# Root's PATH lacks the sbin directories after a plain `su`; bpftool lives there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

is_there() {
  case $1 in
    libbpf-dev) [[ -e /usr/include/bpf/bpf_helpers.h ]] ;;
    libc-headers) [[ -e /usr/include/stdio.h && -e /usr/include/linux/bpf.h ]] ;;
    # Without it, Debian's python3 makes no virtual environments that have pip.
    python3-venv) /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    qemu) command -v qemu-system-x86_64 >/dev/null ;;
    # Programs with BTF that others wrote: what the tests of typed values want of it.
    xdp-tools) command -v xdp-filter >/dev/null ;;
    # Other builds of busybox have fewer commands.
    # grep reads to the end: with -q, busybox would fail writing what nobody reads.
    busybox-static) busybox --list 2>/dev/null | grep -x poweroff >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

package_of() {
  case $1 in
    libc-headers) echo libc6-dev ;;
    etcd) echo etcd-server ;;
    qemu) echo qemu-system-x86 ;;
    go) echo golang-go ;;
    ip) echo iproute2 ;;
    systemd-analyze) echo systemd ;;
    *) echo "$1" ;;
  esac
}

missing=()
for tool in "$@"; do
  is_there "$tool" || missing+=("$tool")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]}. Only Debian's packages are installed by this script;" \
    "install these tools with your system's package manager and try again." >&2
  exit 1
fi
if [[ $(id -u) -ne 0 ]]; then
  echo "Missing: ${missing[*]}. Installing them needs root: run the command with sudo once." >&2
  exit 1
fi

packages=()
for tool in "${missing[@]}"; do
  packages+=("$(package_of "$tool")")
done
export DEBIAN_FRONTEND=noninteractive
echo "Installing ${packages[*]}" >&2
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null

for tool in "${missing[@]}"; do
  if ! is_there "$tool"; then
    echo "The package $(package_of "$tool") is installed, but $tool is still not found." >&2
    exit 1
  fi
done
