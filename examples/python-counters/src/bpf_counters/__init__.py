"""Shows the counters of bpf/ports.bpf.c as a live table, and keeps them as CSV."""
