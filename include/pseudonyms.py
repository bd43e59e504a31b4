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
MARK = "pseudonyms.mark"
"""In accepted: a value under the key with which it was made. It tells another key, and nothing of the key."""

KINDS_WITH_PSEUDONYMS = frozenset({"message", "survey_answer"})
"""Kinds of records that hold pseudonyms."""


class PseudonymKeyBroken(RuntimeError):
    """The key file is not a key, or not the one that was used before. A new one would give everybody a new pseudonym: that is for a
    person to decide."""


def pseudonym(value: str) -> str:
    """HMAC-SHA256 of a value under the deployment's key: 32 hexadecimal digits. The key is created on first use."""
    return hmac.digest(_key(secrets_folder()), value.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def require_same_key(accepted: Path) -> None:
    """Raises PseudonymKeyBroken where what was accepted before has pseudonyms of another key.

    With another one every message would be there twice, and the older one pass for deleted upstream.
    """
    mark, key_file = accepted / MARK, secrets_folder() / KEY_FILE
    if not mark.exists():
        return
    if not key_file.exists() or mark.read_text(encoding="ascii").strip() != _marked():
        what = "is not the key" if key_file.exists() else "is missing"
        raise PseudonymKeyBroken(f"{key_file} {what} under which {accepted} was made: put that key back (docs/backup.md)")


def mark_key(accepted: Path) -> None:
    """Says under which key pseudonyms were made. Once: the mark stays."""
    mark = accepted / MARK
    if mark.exists():
        return
    accepted.mkdir(parents=True, exist_ok=True)
    part = accepted / f".{uuid.uuid4().hex}.part"
    part.write_text(f"{_marked()}\n", encoding="ascii")
    part.replace(mark)


def _marked() -> str:
    return pseudonym("the mark of this key")


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
