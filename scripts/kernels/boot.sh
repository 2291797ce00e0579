#!/usr/bin/env bash
# Boots a kernel in QEMU with an image of image.sh, and ends with the guest's status.
# 124: it did not end in time; 125: it ended without saying its status, as after a panic.
# Usage: scripts/kernels/boot.sh KERNEL IMAGE LOG REPORT [NAME=VALUE...]
#   LOG      gets what the guest prints; it is shown too
#   REPORT   gets the guest's test report (vitest's JSON)
#   NAME=VALUE are variables for the guest's init. RUN=shell gives a shell on this
#            terminal, without a time limit.
# BOOT_LIMIT is the time limit in seconds.
set -euo pipefail

kernel=$1 image=$2 log=$3 report=$4
shift 4
limit=${BOOT_LIMIT:-1800}

command=(
  qemu-system-x86_64
  # Emulation: the same everywhere, also where machines are virtual themselves. One thread
  # for all CPUs: to trace a function the kernel patches it under running CPUs, and with
  # more threads an emulated CPU can go on with what another has replaced. Then guests
  # died of breakpoints that were no longer there, and calls were not traced.
  -accel "tcg,thread=single,tb-size=1024" -cpu max -M microvm -m 2048
  # One CPU more than the guest uses (maxcpus below): it is possible but never online,
  # which is where a wrong size of per-CPU values shows.
  -smp 3
  -nodefaults -no-user-config -no-reboot -display none
  -chardev "file,id=report,path=$report"
  -kernel "$kernel" -initrd "$image"
)
append=(
  console=ttyS0 quiet loglevel=3 maxcpus=2
  # A crash of the kernel ends the guest, which is then one without a status.
  oops=panic panic=-1 reboot=t
  # Without a frequency 6.1 waits for ever for a timer that microvm does not have. A
  # wrong one only makes the guest's clock run at another speed.
  tsc_early_khz=2596000
  "$@"
)

if [[ " $* " == *" RUN=shell "* ]]; then
  exec "${command[@]}" -serial mon:stdio -device isa-serial,chardev=report \
    -append "${append[*]}"
fi

status=0
nice timeout --kill-after=10 "$limit" "${command[@]}" \
  -serial stdio -device isa-serial,chardev=report -append "${append[*]}" \
  </dev/null | sed -u 's/\r$//' | tee "$log" || status=$?
if [[ $status -ne 0 ]]; then
  [[ $status -ne 124 && $status -ne 137 ]] || echo "The guest did not end within $limit s." >&2
  [[ $status -ne 137 ]] || status=124
  exit "$status"
fi

# The last line that init prints, before the kernel's own goodbye.
said=$(sed -n 's/^guest status: \([0-9]*\)$/\1/p' "$log" | tail -n 1)
if [[ -z $said ]]; then
  echo "The guest ended without its status." >&2
  exit 125
fi
exit "$said"
