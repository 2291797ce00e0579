"""The README's programs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"

BLOCKS = re.findall(
    r"(?<!<!-- not run -->\n)^```python\n(.*?)^```",
    README.read_text("utf-8"),
    re.DOTALL | re.MULTILINE,
)
"""All of them, in their order."""

CAN_PACK = sys.version_info >= (3, 11)
"""Whether the tools that pack the client run here."""

# numpy and pandas are not what the package needs.
ALONE = [block for block in BLOCKS if "numpy" not in block]
"""Those that need nothing but the package: test_wheel.py runs them, where it can."""

BESIDE_OTHERS = [block for block in BLOCKS if "numpy" in block] if CAN_PACK else BLOCKS
"""Those that test_documents.py runs."""
