"""A timeline on X with any number of pages, made up page by page, in a process of its own: its memory is not ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from include.settings import PROJECT_ROOT

POSTS_PER_PAGE = 100


@contextmanager
def serving_pages(account_id: str, handle: str, run_date: date, pages: int) -> Iterator[str]:
    """Yields the base URL."""
    command = [sys.executable, "-m", "tests.bench.many_pages", account_id, handle, run_date.isoformat(), str(pages)]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def main(account_id: str, handle: str, day: str, pages: str) -> None:
    noon = datetime.combine(date.fromisoformat(day), time(12))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            number = int(parse_qs(parts.query).get("pagination_token", ["1"])[0])
            content = json.dumps(self.answer(parts.path, number)).encode()
            self.send_response_only(200)
            self.send_header("Date", (noon + timedelta(hours=9)).strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.send_header("X-Simulated", "true")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def answer(self, path: str, number: int) -> object:
            if path.endswith("/by"):
                metrics = {"followers_count": 5, "following_count": 1, "tweet_count": 9, "listed_count": 1, "like_count": 1}
                return {"data": [{"id": account_id, "name": handle, "username": handle, "public_metrics": metrics}]}
            if path.endswith("/mentions"):
                return {"meta": {"result_count": 0}}
            first = (number - 1) * POSTS_PER_PAGE
            meta = {"result_count": POSTS_PER_PAGE} | ({"next_token": str(number + 1)} if number < int(pages) else {})
            return {"data": [self.post(first + place) for place in range(POSTS_PER_PAGE)], "meta": meta}

        def post(self, number: int) -> object:
            names = ("retweet", "reply", "like", "quote", "bookmark", "impression")
            return {
                "id": str(1980000000000000000 - number),
                "author_id": account_id,
                "created_at": (noon - timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "text": f"Appeal {number}: have you seen this man? " + "Call 101 or tell us online. " * 4,
                "lang": "en",
                "edit_history_tweet_ids": [str(1980000000000000000 - number)],
                "public_metrics": {f"{name}_count": number % 97 for name in names},
            }

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
