"""Where a source is asked and with what: the Airflow connection named like the source, in Airflow and without it.

    AIRFLOW_CONN_FACEBOOK='{"conn_type": "http", "host": "https://graph.facebook.com", "extra": {"tokens": {"gwent": "…"}}}'

host: the base URL. extra.tokens: a token for each force; password: one token for all that have none of their own. extra.limits:
limits of one's own by the name of the quota, for example {"credits": 40}, US dollars a month on X. A token is made known to
Airflow's logs, which then hide it wherever it turns up.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from extractors.base import Access, Secret


class CredentialsMissing(RuntimeError):
    """There is no connection, or it lacks something. The message says what to set."""


@dataclass(frozen=True)
class SourceAccess:
    """One source's connection."""

    source: str
    base_url: str
    tokens: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    token_for_all: Secret | None = field(default=None, repr=False)
    limits: Mapping[str, float] = field(default_factory=dict)

    def for_force(self, force_id: str, needs_token: bool = True) -> Access:
        """Base URL and token of one force. Raises CredentialsMissing."""
        place = f"extra.tokens.{force_id}" if force_id in self.tokens else "password"
        token = self.tokens.get(force_id, self.token_for_all)
        if token is None and not needs_token:
            return Access(self.base_url, None, self.limits)
        if token is None:
            raise CredentialsMissing(
                f"connection {self.source!r} has no token for {force_id}: set extra.tokens.{force_id}, or the password for all"
            )
        return Access(self.base_url, _checked(self.source, place, token), self.limits)


def other_host(source: str) -> str | None:
    """The base URL that AIRFLOW_CONN_<SOURCE> gives an open source instead of its real host; None without that variable.

    Airflow's own connections are not asked: its SDK gives the same answer for none and for an API server that does not answer,
    and a source that is to ask a simulator must not ask the real host then.
    """
    return access(source).base_url if os.environ.get(f"AIRFLOW_CONN_{source.upper()}", "").strip() else None


def access(source: str) -> SourceAccess:
    """The connection of a source. Raises CredentialsMissing.

    A connection in the environment is read without Airflow, whose import takes seconds; any other by Airflow.
    """
    text = os.environ.get(f"AIRFLOW_CONN_{source.upper()}", "").strip()
    if text.startswith("{"):
        try:
            return _read(source, json.loads(text))
        except json.JSONDecodeError as error:
            raise CredentialsMissing(
                f"AIRFLOW_CONN_{source.upper()} is not readable JSON (line {error.lineno}, column {error.colno})"
            ) from None
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException

    try:
        connection = BaseHook.get_connection(source)
    except AirflowException:
        raise CredentialsMissing(
            f"there is no connection {source!r}, or Airflow's API server does not answer: add it in Airflow (Admin, Connections), "
            f"or set AIRFLOW_CONN_{source.upper()} to "
            '{"conn_type": "http", "host": "<base URL>", "extra": {"tokens": {"<force_id>": "<token>"}}}'
        ) from None
    names = ("host", "schema", "port", "password", "extra")
    return _read(source, {name: getattr(connection, name) for name in names})


def _read(source: str, connection: Mapping[str, Any]) -> SourceAccess:
    host = str(connection.get("host") or "").rstrip("/")
    if not host:
        raise CredentialsMissing(f"connection {source!r} has no host: set it to the base URL")
    if "://" not in host:
        host = f"{connection.get('schema') or 'https'}://{host}"
    if connection.get("port") and ":" not in host.partition("://")[2]:
        host = f"{host}:{connection['port']}"
    extra = connection.get("extra") or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str) else extra
        given = {str(force): token for force, token in dict(extra.get("tokens") or {}).items() if token}
        limits = {str(name): float(limit) for name, limit in dict(extra.get("limits") or {}).items()}
    except (ValueError, AttributeError, TypeError):
        raise CredentialsMissing(
            f'connection {source!r}: extra must be JSON like {{"tokens": {{"<force_id>": "<token>"}}}}'
        ) from None
    password = connection.get("password")
    _hide_in_logs([*given.values(), password])
    tokens = {force: Secret(token) for force, token in given.items()}
    return SourceAccess(source, host, tokens, Secret(password) if password else None, limits)


def _hide_in_logs(tokens: Iterable[Any]) -> None:
    """A connection in the environment is read without Airflow, which then does not know what to hide."""
    if "airflow.sdk" in sys.modules:
        from airflow.sdk.log import mask_secret

        for token in tokens:
            if isinstance(token, str) and token.strip():
                mask_secret(token.strip())


def _checked(source: str, place: str, secret: Secret) -> Secret:
    """The token as it can stand in a header. Spaces and line breaks around it go; anything odd within it is refused, because the
    HTTP library would quote the whole of it in its error. CredentialsMissing does not show the value."""
    value = secret.reveal()
    token = value.strip() if isinstance(value, str) else ""
    if not token or not all("!" <= character <= "~" for character in token):
        raise CredentialsMissing(
            f"connection {source!r}: {place} is no token: it must be plain text of letters, digits and signs, without spaces, "
            "line breaks, curly quotes or accents; copy it again"
        )
    return Secret(token)
