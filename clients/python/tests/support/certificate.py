"""Keys and certificates for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any


def certificate(directory: Path, name: str, subject: str, signer: Any) -> None:
    """A key and a certificate as files NAME.key and NAME.pem."""
    host = subject.rpartition("=")[2].replace(" ", "-")
    signed = [] if signer is None else ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", subject, "-addext", f"subjectAltName=DNS:{host}"),
            *("-keyout", directory / f"{name}.key", "-out", directory / f"{name}.pem"),
            *signed,
        ],
        check=True,
        capture_output=True,
    )
