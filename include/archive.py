"""The archive of a backup: tar in zstd, its last member a manifest with the sha256 of every file, so that a cut is seen.

Reading trusts nothing: names that lead out of the folder, links but the three of publication, devices and doubles are refused,
and everything is compared with the manifest before anybody uses it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
SAY_EVERY_SECONDS = 2.0
CHUNK = 1 << 20

LINKS = {
    "home/published/current": re.compile(r"versions/[\w-]+"),
    "home/published/warehouse.duckdb": re.compile(r"current/warehouse\.duckdb"),
    "home/published/parquet": re.compile(r"current/parquet"),
}
"""The links of include/publish.py: member → where it may lead. There is no other link in an archive."""

Say = Callable[[str], None]


class ArchiveNotWritten(RuntimeError):
    """There is no archive. The message says why."""


class ArchiveRefused(RuntimeError):
    """The archive is not what was written. Names archive, member and reason."""


@dataclass(frozen=True)
class Written:
    """One archive. bytes: of what is in it; sha256: of the archive itself."""

    path: Path
    files: int
    bytes: int
    sha256: str


def is_known_link(name: str, destination: str) -> bool:
    """Whether a link is one that publication makes. name: of the member."""
    return name in LINKS and LINKS[name].fullmatch(destination) is not None


def write(folder: Path, members: Iterable[Path], path: Path, facts: Mapping[str, Any], say: Say) -> Written:
    """Files and links of a folder into an archive, whole or not at all. facts: for the manifest. Raises ArchiveNotWritten."""
    chosen = sorted(members)
    total = sum(member.stat().st_size for member in chosen if not member.is_symlink())
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            files = _write_members(raw, folder, chosen, facts, _Progress(total, "written", say))
        sync(unfinished)
        with unfinished.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        unfinished.replace(path)
        sync(path.parent)
    except OSError as error:
        raise ArchiveNotWritten(f"{path} could not be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return Written(path, files, total, digest)


def _write_members(raw: IO[bytes], folder: Path, members: list[Path], facts: Mapping[str, Any], progress: _Progress) -> int:
    import pyarrow as pa

    files: dict[str, dict[str, Any]] = {}
    links: dict[str, str] = {}
    with pa.CompressedOutputStream(raw, "zstd") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for member in members:
            name = member.relative_to(folder).as_posix()
            entry = archive.gettarinfo(member, name)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if member.is_symlink():
                if not is_known_link(name, entry.linkname):
                    raise ArchiveNotWritten(f"{name} is a link to {entry.linkname}: no archive with it would be taken back")
                links[name] = entry.linkname
                archive.addfile(entry)
                continue
            entry.type, entry.linkname = tarfile.REGTYPE, ""  # a second name of a file is a file of its own
            with member.open("rb") as content:
                entry.size = os.fstat(content.fileno()).st_size
                hashing = _Hashing(content, progress)
                archive.addfile(entry, hashing)
            files[name] = {"bytes": entry.size, "sha256": hashing.hexdigest()}
        text = json.dumps({"format": FORMAT, **facts, "files": files, "links": links}, indent=1).encode()
        last = tarfile.TarInfo(MANIFEST)
        last.size = len(text)
        archive.addfile(last, io.BytesIO(text))
    return len(files)


def unpack(path: Path, target: Path, say: Say) -> dict[str, Any]:
    """Everything into an empty folder, compared with the manifest, which is returned. Raises ArchiveRefused."""
    import pyarrow as pa

    found: dict[str, str] = {}
    links: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    progress = _Progress(path.stat().st_size, "read", say)
    try:
        with (
            path.open("rb") as raw,
            pa.CompressedInputStream(_Hashing(raw, progress), "zstd") as packed,
            tarfile.open(fileobj=packed, mode="r|") as archive,
        ):
            for entry in archive:
                if manifest is not None:
                    raise ArchiveRefused(f"{path}: {entry.name} comes after the manifest: this is no archive of make backup")
                _require_inside(entry, target, path)
                if entry.name in found or entry.name in links:
                    raise ArchiveRefused(f"{path}: {entry.name} is there twice")
                if entry.issym():
                    if not is_known_link(entry.name, entry.linkname):
                        raise ArchiveRefused(f"{path}: {entry.name} is a link to {entry.linkname}, which no backup makes")
                    links[entry.name] = entry.linkname
                    continue  # made at the end: nothing is ever written through a link
                if not entry.isreg():
                    raise ArchiveRefused(f"{path}: {entry.name} is no plain file")
                content = archive.extractfile(entry)
                assert content is not None
                if entry.name == MANIFEST:
                    manifest = json.load(content)
                else:
                    found[entry.name] = _write_file(content, target / entry.name, entry)
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError) as error:
        raise ArchiveRefused(f"{path} is damaged or cut off: {error}") from error
    if manifest is None:
        raise ArchiveRefused(f"{path} is cut off: it has no {MANIFEST} at its end")
    for name in found:
        if link := next((str(parent) for parent in PurePosixPath(name).parents if str(parent) in links), None):
            raise ArchiveRefused(f"{path}: {name} lies under the link {link}: this is no archive of make backup")
    _compare(manifest, found, links, path)
    for name, destination in links.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(destination)
    return manifest


def _require_inside(entry: tarfile.TarInfo, target: Path, path: Path) -> None:
    name = PurePosixPath(entry.name)
    if name.is_absolute() or ".." in name.parts or str(name) != entry.name:
        raise ArchiveRefused(f"{path}: {entry.name} leads out of the folder: this is no archive of make backup")
    try:
        tarfile.data_filter(entry, str(target))
    except tarfile.FilterError as error:
        raise ArchiveRefused(f"{path}: {entry.name}: {error}") from error


def _write_file(content: IO[bytes], target: Path, entry: tarfile.TarInfo) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    os.utime(target, (entry.mtime, entry.mtime))
    return digest.hexdigest()


def _compare(manifest: dict[str, Any], found: dict[str, str], links: dict[str, str], path: Path) -> None:
    if manifest.get("format") != FORMAT:
        raise ArchiveRefused(f"{path}: its format is {manifest.get('format')!r}, this version reads {FORMAT}")
    expected = {name: each["sha256"] for name, each in manifest["files"].items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    wrong += sorted(name for name in manifest["links"].keys() | links.keys() if manifest["links"].get(name) != links.get(name))
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ArchiveRefused(f"{path}: not what was backed up: {', '.join(wrong[:5])}{more}")


class _Progress:
    """A line every few seconds."""

    def __init__(self, total: int, what: str, say: Say) -> None:
        self.done, self.total, self.what, self.say, self.last = 0, total, what, say, time.monotonic()

    def add(self, count: int) -> None:
        self.done += count
        if time.monotonic() - self.last >= SAY_EVERY_SECONDS:
            self.last = time.monotonic()
            self.say(f"{self.what}: {size(self.done)} of {size(self.total)}")


class _Hashing:
    """A file that is hashed and counted while somebody reads it."""

    def __init__(self, file: IO[bytes], progress: _Progress) -> None:
        self._file, self._progress, self._digest = file, progress, hashlib.sha256()
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._digest.update(chunk)
        self._progress.add(len(chunk))
        return chunk

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def sync(path: Path) -> None:
    """A file or folder onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size(count: float) -> str:
    """For people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
