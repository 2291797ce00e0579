"""Fails where a wheel has what it must not have, or lacks what it must have.

Usage: python list_wheel.py WHEEL
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"


def main(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    strangers = {top for top in tops if top != "bpfmapd" and not top.endswith(".dist-info")}
    ours = {
        str(path.relative_to(SOURCE))
        for path in (SOURCE / "bpfmapd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = ours - names
    extra = {name for name in names if name.startswith("bpfmapd/")} - ours
    if strangers or missing or extra:
        sys.exit(f"{wheel.name}: strangers {strangers}, missing {missing}, extra {extra}")
    if "bpfmapd/py.typed" not in names or not any(name.endswith("LICENSE") for name in names):
        sys.exit(f"{wheel.name}: py.typed or the licence is missing")
    print(f"{wheel.name}: {len(names)} files, top level {sorted(tops)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
