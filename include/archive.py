"""The archive of a backup: tar in zstd, its last member a manifest with the sha256 of every file, so that a cut is seen.

Reading trusts nothing: names that lead out of the folder, links but the three of publication, devices and doubles are refused,
and everything is compared with the manifest before anybody uses it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from include.disk import why_full

FORMAT = 1
MANIFEST = "manifest.json"
SAY_EVERY_SECONDS = 2.0
CHUNK = 1 << 20
MANIFEST_BYTES = 64_000_000
"""More is refused, by writer and reader: the manifest is read into memory. It is enough for some 300,000 files."""
HEADER_BYTES = 1_000_000
"""The same for the header of a member, which holds a long name."""
RESERVE_BYTES = 64_000_000
"""Of the disk's free space no restore takes the last."""
BLOCK = 4096

HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
READING = (tarfile.TarError, OSError, EOFError, ValueError, KeyError)
NAMES = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)

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


class NotUnpacked(RuntimeError):
    """The folder could not be written; the archive is not at fault, and nothing was changed. Says what to do."""


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
        if len(text) > MANIFEST_BYTES:
            raise ArchiveNotWritten(f"{len(members)} files are too many: no manifest of {size(len(text))} would be read again")
        last = tarfile.TarInfo(MANIFEST)
        last.size = len(text)
        archive.addfile(last, io.BytesIO(text))
    return len(files)


def unpack(path: Path, target: Path, say: Say) -> dict[str, Any]:
    """Everything into an empty folder, compared with the manifest, which is returned. Raises ArchiveRefused, NotUnpacked."""
    found: dict[str, str] = {}
    links: dict[str, str] = {}
    manifest: object = None
    _require_room(path, target, say)
    for entry, content in _members(path, _Progress(path.stat().st_size, "read", say)):
        if MANIFEST in found:
            raise ArchiveRefused(f"{path}: {entry.name} comes after the manifest: this is no archive of make backup")
        _require_inside(entry, target, path)
        if entry.name in found or entry.name in links:
            raise ArchiveRefused(f"{path}: {entry.name} is there twice")
        if entry.issym():
            if not is_known_link(entry.name, entry.linkname):
                raise ArchiveRefused(f"{path}: {entry.name} is a link to {entry.linkname}, which no backup makes")
            links[entry.name] = entry.linkname  # made at the end: nothing is ever written through a link
        elif content is None:
            raise ArchiveRefused(f"{path}: {entry.name} is no plain file")
        elif entry.name == MANIFEST:
            manifest, found[MANIFEST] = _read_manifest(content, path), ""
        else:
            found[entry.name] = _write_file(content, target / entry.name, entry)
    found.pop(MANIFEST, None)
    for name in found:
        if link := next((str(parent) for parent in PurePosixPath(name).parents if str(parent) in links), None):
            raise ArchiveRefused(f"{path}: {name} lies under the link {link}: this is no archive of make backup")
    checked = _shaped(manifest, path)
    _compare(checked, found, links, path)
    for name, destination in links.items():
        with _writing(target / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).symlink_to(destination)
    return checked


class _Entry(tarfile.TarInfo):
    """Of a member. A header that says that it is huge is not read: tarfile would hold all of it in memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in HEADERS and entry.size > HEADER_BYTES:
            raise ValueError(f"a header of {size(entry.size)}")
        return entry


def _members(path: Path, progress: _Progress) -> Iterator[tuple[tarfile.TarInfo, _Checked | None]]:
    """Each member with its content, None where it has none. Whatever goes wrong in reading is the archive's: ArchiveRefused.

    What goes wrong in the body of a loop over it does not come by here.
    """
    import pyarrow as pa

    try:
        with (
            path.open("rb") as raw,
            pa.CompressedInputStream(_Hashing(raw, progress), "zstd") as packed,
            tarfile.open(fileobj=packed, mode="r|", tarinfo=_Entry) as archive,
        ):
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                yield entry, _Checked(content, path) if content else None
    except READING as error:
        raise _damaged(path, error) from error


def _require_room(path: Path, target: Path, say: Say) -> None:
    """Reads the sizes of all members, to the end, before anything is written. Raises NotUnpacked, and ArchiveRefused."""
    disk = shutil.disk_usage(target)
    needed, last = 0, None
    for number, (entry, _) in enumerate(_members(path, _Progress(path.stat().st_size, "looked through", say))):
        if number > MANIFEST_BYTES // 100:  # each takes more in a manifest
            raise ArchiveRefused(f"{path} has more members than a manifest of {size(MANIFEST_BYTES)} can name")
        if entry.name == MANIFEST and entry.size > MANIFEST_BYTES:
            raise ArchiveRefused(f"{path}: its manifest of {size(entry.size)} is too big, {size(MANIFEST_BYTES)} are read")
        if entry.size < 0:
            raise ArchiveRefused(f"{path}: {entry.name} has a size below zero")
        needed, last = needed + BLOCK + -(-entry.size // BLOCK) * BLOCK, entry.name
        if needed > disk.total:  # nobody waits for the end of that
            break
    else:
        if last != MANIFEST:
            raise ArchiveRefused(f"{path} is cut off, or no archive of make backup: it has no {MANIFEST} at its end")
    if needed > disk.free - RESERVE_BYTES:
        raise NotUnpacked(
            f"{path} needs {size(needed)}{' or more' if needed > disk.total else ''} under {target.parent}; {size(disk.free)} are"
            f" free, of which {size(RESERVE_BYTES)} stay so. Nothing was changed. Make room, then restore it again"
        )


def _require_inside(entry: tarfile.TarInfo, target: Path, path: Path) -> None:
    name = PurePosixPath(entry.name)
    if name.is_absolute() or ".." in name.parts or str(name) != entry.name:
        raise ArchiveRefused(f"{path}: {entry.name} leads out of the folder: this is no archive of make backup")
    try:
        tarfile.data_filter(entry, str(target))
    except (tarfile.FilterError, OSError, ValueError) as error:
        raise ArchiveRefused(f"{path}: {entry.name}: {error}") from error


def _write_file(content: _Checked, target: Path, entry: tarfile.TarInfo) -> str:
    digest = hashlib.sha256()
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.utime(target, (entry.mtime, entry.mtime))
    return digest.hexdigest()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """What fails here is not the archive's fault, but for names that no folder takes. Raises NotUnpacked, ArchiveRefused."""
    try:
        yield
    except (OSError, ValueError, OverflowError) as error:
        if not isinstance(error, OSError) or error.errno in NAMES:
            raise ArchiveRefused(f"{target} cannot be made of the archive: {error}") from error
        free = size(shutil.disk_usage(target.parent if target.parent.is_dir() else target.anchor).free)
        full = why_full(error)
        raise NotUnpacked(
            f"{full}: the restore could not write {target} ({free} free). Nothing was changed. Make room, then restore it again"
            if full
            else f"the restore could not write {target}: {error}. Nothing was changed"
        ) from error


class _Checked:
    """The content of a member, whose errors are the archive's and not those of the disk that it is written to."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except READING as error:
            raise _damaged(self._path, error) from error


def _damaged(path: Path, error: Exception) -> ArchiveRefused:
    return ArchiveRefused(f"{path} is damaged or cut off: {error}")


def _read_manifest(content: _Checked, path: Path) -> object:
    text = content.read(MANIFEST_BYTES + 1)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArchiveRefused(f"{path}: its {MANIFEST} cannot be read: {error}") from error


def _shaped(manifest: object, path: Path) -> dict[str, Any]:
    """A manifest that has what it must have, of the kinds that it must be. Raises ArchiveRefused."""

    def refused(what: str) -> ArchiveRefused:
        return ArchiveRefused(f"{path}: its {MANIFEST} is not one of make backup: {what}")

    if not isinstance(manifest, dict):
        raise refused("it is no object")
    if manifest.get("format") != FORMAT:
        raise ArchiveRefused(f"{path}: its format is {manifest.get('format')!r}, this version reads {FORMAT}")
    for name in ("files", "links"):
        if not isinstance(manifest.get(name), dict):
            raise refused(f"{name} is not in it, or no object")
    for name, each in manifest["files"].items():
        if not isinstance(each, dict) or not isinstance(each.get("sha256"), str):
            raise refused(f"{name} has no sha256")
    for name, destination in manifest["links"].items():
        if not isinstance(destination, str):
            raise refused(f"the link {name} leads nowhere")
    if "airflow_database" not in manifest or not isinstance(manifest["airflow_database"], str | None):
        raise refused("airflow_database is not in it, or no text")
    return manifest


def _compare(manifest: dict[str, Any], found: dict[str, str], links: dict[str, str], path: Path) -> None:
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
