"""`make serve`: PostgreSQL for BI on loopback, filled with what is published and kept in step with it, until Ctrl-C.

Its data lie in `postgres/` of the state folder and are a copy: the folder can be removed at any time.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import replace
from types import FrameType

from include.bi import BiTarget, roll_forward, shown
from include.bi.connection import DATABASE, PUBLISHER, READER, passfile, password_file
from include.bi.recipes import recipes
from include.bi.server import HOST, EmbeddedPostgres, ServerNotStarted
from include.contract import SCHEMA
from include.publish import current_version, home_id
from include.settings import Home

PORT = 54320
LOOK_EVERY_SECONDS = 5


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m include.serve", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port on loopback ({PORT})")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    home = Home.current()
    try:
        with EmbeddedPostgres(home.path / "postgres", chosen.port) as server:
            # its data lie in this home: whatever stands there is this home's to replace
            publisher = replace(server.target(PUBLISHER), home_id=home_id(home), takes_over=True)
            roll_forward(current_version(home), publisher)
            print("\n".join(greeting(server, publisher)), flush=True)
            trouble = ""
            while True:
                time.sleep(LOOK_EVERY_SECONDS)
                server.check()
                trouble = keep_in_step(home, publisher, trouble)
    except ServerNotStarted as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


def keep_in_step(home: Home, publisher: BiTarget, trouble: str = "") -> str:
    """Show what is newly published. What fails is said once and tried again next time: readers keep what they have.

    trouble: what this returned the last time. Returns what failed now, "" if nothing.
    """
    try:
        version = current_version(home)
        if roll_forward(version, publisher) and version is not None:
            print(f"Now showing {version.name}", flush=True)
    except Exception as error:  # no error of one publication may take the server away from its readers
        found = f"{type(error).__name__}: {error}"
        if found != trouble:
            print(f"Not in step with what is published, trying on: {found}", file=sys.stderr, flush=True)
        return found
    if trouble:
        print("In step again with what is published", flush=True)
    return ""


def greeting(server: EmbeddedPostgres, publisher: BiTarget) -> list[str]:
    """What is shown, and how each tool connects. Without any password."""
    secret, private = password_file(READER), passfile(READER, HOST, server.port)
    how = recipes(HOST, server.port, secret, private)
    publication = shown(publisher)
    return [
        f"PostgreSQL for BI  {HOST}:{server.port}, database {DATABASE}, schema {SCHEMA}, user {READER}",
        f"Password           {secret}",
        f"Publication        {publication or 'none yet: say make run in another terminal, and it will be here'}",
        "",
        *(f"{tool:<18} {recipe}" for tool, recipe in how.items()),
        "",
        "New publications appear by themselves. docs/bi.md tells more. Ctrl-C stops the server.",
    ]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
