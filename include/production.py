"""What docker-compose.yml needs beside its images (docs/deployment.md).

python -m include.production secrets [--simulator]      on the host: draw the secret files that are missing
python -m include.production init                       in the init job: Airflow's database and pools
python -m include.production health URL [COMPONENT]     health checks: exit code 0 when healthy
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from include.settings import Home, secrets_folder

AIRFLOW_DATABASE = "airflow-database:5432"
REDIS = "redis:6379"
SIMULATOR = "http://simulator:8000"
HEALTH_SECONDS = 8
DRAWN = (
    "airflow_database_password",
    "bi_database_password",
    "bi_publisher_password",
    "bi_reader_password",
    "jwt_secret",
    "api_secret_key",
    "simulator_secret",
)


def write_secrets(
    folder: Path,
    airflow_database: str = AIRFLOW_DATABASE,
    redis: str = REDIS,
    simulator: str | None = None,
) -> list[str]:
    """Draw every secret file that is missing; those that are there stay. simulator: its address, to ask it and no platform.

    The folder can be entered by its owner only (0700); the files in it can be read by whoever they are mounted for (0444),
    because containers run under other user ids. Returns the names of the files written, sorted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    written: list[str] = []

    def keep(name: str, draw: Callable[[], bytes | str]) -> str:
        path = folder / name
        if not path.exists():
            value = draw()
            _write(path, value if isinstance(value, bytes) else value.encode())
            written.append(name)
        path.chmod(0o444)
        return name

    def text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8").strip()

    for name in DRAWN:
        keep(name, lambda: secrets.token_urlsafe(48))
    keep("fernet_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)))
    keep("pseudonyms.key", lambda: secrets.token_bytes(32))
    keep("redis.conf", lambda: f"requirepass {secrets.token_urlsafe(48)}\n")
    redis_password = text("redis.conf").removeprefix("requirepass ")
    keep("broker_url", lambda: f"redis://:{redis_password}@{redis}/0")
    keep("result_backend_url", lambda: f"redis://:{redis_password}@{redis}/1")
    airflow_login = f"airflow:{text('airflow_database_password')}"
    keep("airflow_database_url", lambda: f"postgresql+psycopg2://{airflow_login}@{airflow_database}/airflow")
    keep("connections.json", lambda: json.dumps(_simulated(text("simulator_secret"), simulator) if simulator else {}, indent=1))
    return sorted(written)


def _simulated(secret: str, address: str) -> Mapping[str, object]:
    """A connection for every platform, with the tokens that a simulator with this secret takes."""
    from extractors import SOURCES
    from extractors.base import ApiSource
    from include import registry
    from include.simulator.graph import force_token

    forces = registry.load().force_ids
    return {
        source.name: {
            "conn_type": "http",
            "host": f"{address}/{source.platform}",
            "extra": {"tokens": {force_id: force_token(secret, str(source.platform), force_id) for force_id in forces}},
        }
        for source in SOURCES
        if isinstance(source, ApiSource)
    }


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def init() -> int:
    """Bring Airflow's database up to date and create the pools that the DAGs ask for. Safe to repeat. Returns an exit code."""
    from include.airflow_home import write_pools

    with tempfile.TemporaryDirectory() as folder:
        pools = write_pools(Home(Path(folder)))
        for command in (["db", "migrate"], ["pools", "import", str(pools)]):
            print(f"airflow {' '.join(command[:2])}", flush=True)
            done = subprocess.run([sys.executable, "-m", "airflow", *command], check=False)  # noqa: S603  (our own interpreter)
            if done.returncode:
                return done.returncode
    return 0


def init_bi() -> int:
    """Make or renew the roles and the database of PostgreSQL for BI (INSIGHT_BI_ADMIN: its superuser). Returns an exit code."""
    from psycopg.conninfo import conninfo_to_dict

    from include.bi import roles
    from include.bi.connection import BiTarget

    def password(name: str) -> str:
        return (secrets_folder() / name).read_text(encoding="utf-8").strip()

    admin = {key: str(value) for key, value in conninfo_to_dict(os.environ["INSIGHT_BI_ADMIN"]).items()}
    target = BiTarget({**admin, "password": password("bi_database_password")})
    roles.prepare(target, password("bi_publisher_password"), password("bi_reader_password"))
    print(f"roles and database of {target} are ready")
    return 0


def is_healthy(url: str, component: str | None = None) -> bool:
    """Whether the address answers and, with a component, whether the answer (Airflow's health report) calls it healthy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a neighbour, whatever proxies are set
    try:
        with opener.open(url, timeout=HEALTH_SECONDS) as answer:
            if component is None:
                return True
            return bool(json.load(answer)[component]["status"] == "healthy")
    except urllib.error.HTTPError as error:
        print(f"{url} answers {error.code}", file=sys.stderr)
        return component is None and error.code < 500
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{url}: {error!r}", file=sys.stderr)
        return False


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m include.production", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("secrets", help="draw the secret files that are missing")
    drawing.add_argument("--folder", type=Path, help="where (INSIGHT_SECRETS, else .secrets)")
    drawing.add_argument("--simulator", action="store_true", help="connections to the simulator in the place of the platforms")
    commands.add_parser("init", help="Airflow's database and pools")
    commands.add_parser("init-bi", help="roles and database of PostgreSQL for BI")
    health = commands.add_parser("health", help="exit code 0 when healthy")
    health.add_argument("url")
    health.add_argument("component", nargs="?")
    chosen = parser.parse_args(arguments)
    if chosen.command == "init":
        return init()
    if chosen.command == "init-bi":
        return init_bi()
    if chosen.command == "health":
        return 0 if is_healthy(chosen.url, chosen.component) else 1
    folder = chosen.folder or secrets_folder()
    written = write_secrets(folder, simulator=SIMULATOR if chosen.simulator else None)
    print(f"{folder}: {', '.join(written) or 'nothing was missing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
