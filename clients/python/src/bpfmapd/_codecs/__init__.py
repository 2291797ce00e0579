"""Codecs: how keys and values become Python objects. The public face is bpfmapd.codecs."""
