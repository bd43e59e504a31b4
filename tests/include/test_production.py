"""Secret files and health checks of the deployment."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from include import registry
from include.production import is_healthy, main, write_secrets
from include.simulator.graph import force_token


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_secrets_are_drawn_once_and_belong_together(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    written = write_secrets(folder)
    files = read(folder)
    assert written == sorted(files)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    password = files["airflow_database_password"].decode()
    assert files["airflow_database_url"].decode() == f"postgresql+psycopg2://airflow:{password}@airflow-database:5432/airflow"
    redis = files["redis.conf"].decode().removeprefix("requirepass ").strip()
    assert files["broker_url"].decode() == f"redis://:{redis}@redis:6379/0"
    assert files["result_backend_url"].decode() == f"redis://:{redis}@redis:6379/1"
    assert len(files["pseudonyms.key"]) == 32
    assert Fernet(files["fernet_key"]).decrypt(Fernet(files["fernet_key"]).encrypt(b"x")) == b"x"
    drawn = [content for name, content in files.items() if name.endswith(("password", "secret", "key"))]
    assert len(set(drawn)) == len(drawn)
    assert write_secrets(folder) == [], "what is there stays"
    assert read(folder) == files
    write_secrets(tmp_path / "other")
    assert (tmp_path / "other" / "fernet_key").read_bytes() != files["fernet_key"]


def test_a_key_that_is_there_stays_and_a_lost_file_is_made_from_the_others(tmp_path: Path) -> None:
    (tmp_path / "pseudonyms.key").write_bytes(b"k" * 32)
    write_secrets(tmp_path)
    before = read(tmp_path)
    assert before["pseudonyms.key"] == b"k" * 32
    (tmp_path / "broker_url").unlink()
    assert write_secrets(tmp_path) == ["broker_url"]
    assert read(tmp_path) == before


def test_the_command_can_put_the_simulator_in_the_platforms_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["secrets", "--folder", str(tmp_path), "--simulator"]) == 0
    connections = json.loads((tmp_path / "connections.json").read_text())
    secret = (tmp_path / "simulator_secret").read_text()
    assert connections["facebook"]["host"] == "http://simulator:8000/facebook"
    tokens = connections["facebook"]["extra"]["tokens"]
    assert tokens == {force: force_token(secret, "facebook", force) for force in registry.load().force_ids}
    said = capsys.readouterr().out
    assert "fernet_key" in said
    assert not [path.name for path in tmp_path.iterdir() if path.read_bytes().decode(errors="replace").strip() in said]


@pytest.fixture
def server() -> Iterator[str]:
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {"/well": 200, "/ill": 200, "/missing": 404}.get(self.path, 503)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"scheduler": {"status": "healthy" if self.path == "/well" else "unhealthy"}}).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_health(server: str) -> None:
    assert main(["health", f"{server}/well", "scheduler"]) == 0
    assert main(["health", f"{server}/ill", "scheduler"]) == 1
    assert main(["health", f"{server}/well", "triggerer"]) == 1, "a component that nobody reports is not healthy"
    assert is_healthy(f"{server}/missing"), "it answers"
    assert not is_healthy(f"{server}/missing", "scheduler")
    assert not is_healthy(f"{server}/broken")
    assert not is_healthy("http://127.0.0.1:1/")
