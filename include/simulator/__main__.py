"""`python -m include.simulator --port 0 --seed N`: serve until standard input is closed or SIGTERM comes.

Prints one JSON line, `{"port": ...}`, when it is ready. The root secret of its tokens comes in SIMULATOR_SECRET, or in the file
that SIMULATOR_SECRET_FILE names. `--live` keeps its clock at now, for whoever has nobody to drive it (docker-compose.yml).
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from include.simulator.clock import START, Clock
from include.simulator.register import SEEDS, read_register
from include.simulator.server import create_app

KEEP_ALIVE_SECONDS = 600  # longer than any pause of the pipeline: a connection must not be closed under a request


class AnnouncingServer(uvicorn.Server):
    """Says its port when it takes requests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = (sockets or [])[0].getsockname()[1]
        print(json.dumps({"port": port}), flush=True)


def _stop_with_parent(server: uvicorn.Server) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    server.should_exit = True


def _keep_at_now(clock: Clock) -> None:
    while True:
        clock.set(datetime.now(UTC))
        time.sleep(1)


def _secret() -> str | None:
    file = os.environ.get("SIMULATOR_SECRET_FILE")
    return Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get("SIMULATOR_SECRET")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m include.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="loopback, unless a container network keeps others out")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--forces", help="only these force ids, comma-separated")
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="folder of the registry's CSV files")
    parser.add_argument("--clock", type=datetime.fromisoformat, default=START, help="where the clock stands first, with offset")
    parser.add_argument("--live", action="store_true", help="keep the clock at the present moment")
    arguments = parser.parse_args()
    secret = _secret()
    if not secret:
        parser.error("SIMULATOR_SECRET is not set: tokens could be guessed. include.simulator.process sets it")
    clock = Clock(arguments.clock)
    if arguments.live:
        threading.Thread(target=_keep_at_now, args=(clock,), daemon=True).start()
    forces = tuple(arguments.forces.split(",")) if arguments.forces else None
    app = create_app(arguments.seed, read_register(arguments.seeds, forces), secret, clock)
    listener = socket.create_server((arguments.host, arguments.port))
    server = AnnouncingServer(
        uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_level="warning",
            date_header=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
