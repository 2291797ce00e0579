#!/usr/bin/env bash
# Packs what a guest needs into one initramfs: busybox, Node, bpftool, setpriv, the
# libraries of these, and the built project. A guest that lives in its initramfs needs no driver and
# no kernel module, so one image serves every kernel, and everything in it is writable.
# Usage: scripts/kernels/image.sh OUTPUT
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

output=$(realpath "$1")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# Puts a file at the same path in the guest.
add() {
  mkdir -p "$root$(dirname "$1")"
  [[ -e $root$1 ]] || cp -L "$1" "$root$1"
}

# Adds nothing for what is linked statically.
add_libraries_of() {
  local library
  ldd "$1" 2>/dev/null | sed -n 's|^[^/]*\(/[^ ]*\) .*|\1|p' | while read -r library; do
    add "$library"
  done || true
}

mkdir -p "$root"/{bin,dev,etc,proc,root,run,sys,tmp,usr/bin,bpfmapd}
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
cp scripts/kernels/init "$root/init"
chmod 755 "$root/init"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
ln -s /proc/self/mounts "$root/etc/mtab"

node=$(node -p process.execPath)
bpftool=$(command -v bpftool)
add "$node"
add "$bpftool"
# Busybox has one that cannot tie a process to its parent's life, as test/support does.
setpriv=$(command -v setpriv)
add "$setpriv"
ln -sf "$node" "$root/bin/node"
ln -sf "$setpriv" "$root/bin/setpriv"
[[ $bpftool == /usr/sbin/* ]] || ln -sf "$bpftool" "$root/bin/bpftool"

# What only builds and checks the project is most of node_modules.
tar -c \
  --exclude='node_modules/@bufbuild/buf*' \
  --exclude='node_modules/@biomejs' \
  --exclude='node_modules/@typescript' \
  --exclude='node_modules/typescript' \
  --exclude='node_modules/.vite*' \
  --exclude='test/.*' \
  package.json dist clients/typescript/{package.json,dist} node_modules test |
  tar -x -C "$root/bpfmapd"

add_libraries_of "$busybox"
add_libraries_of "$node"
add_libraries_of "$bpftool"
add_libraries_of "$setpriv"
find "$root/bpfmapd/node_modules" -name '*.node' | while read -r addon; do
  add_libraries_of "$addon"
done

(cd "$root" && find . -print0 | cpio --quiet --null -o -H newc -R 0:0) >"$output"
