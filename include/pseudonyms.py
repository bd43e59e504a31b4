"""Keyed pseudonyms: the same person gets the same key, and nobody without the key file can say whose it is.

The key lies in `.secrets/` (`INSIGHT_SECRETS`), never under `var/`: a copy of the data never carries it.
"""

from __future__ import annotations

import hmac
import os
import secrets
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

from include.settings import secrets_folder

KEY_FILE = "pseudonyms.key"
KEY_BYTES = 32


class PseudonymKeyBroken(RuntimeError):
    """The key file is not a key. A new one would give everybody a new pseudonym: that is for a person to decide."""


def pseudonym(value: str) -> str:
    """HMAC-SHA256 of a value under the deployment's key: 32 hexadecimal digits. The key is created on first use."""
    return hmac.digest(_key(secrets_folder()), value.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


@cache
def _key(folder: Path) -> bytes:
    path = folder / KEY_FILE
    if not path.exists():
        _create(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise PseudonymKeyBroken(f"{path} holds {len(key)} bytes and not {KEY_BYTES}: restore it from your backup")
    return key


def _create(path: Path) -> None:
    """Two processes may come here at once: the first link wins, and both then read the same key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.parent / f".{uuid.uuid4().hex}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink()
