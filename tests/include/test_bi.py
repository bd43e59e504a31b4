"""PostgreSQL for BI: configuration, types, layouts that change, what each publication leaves, what the reader is refused."""

from __future__ import annotations

import json
import math
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import psycopg
import pytest

from include import bi, contract, serve
from include.bi import layout, store
from include.bi.connection import (
    PUBLISHER,
    READER,
    BiConnectionUnreadable,
    BiDiskFull,
    BiStoreUnreachable,
    BiTarget,
    passfile,
    password_file,
    target,
)
from include.bi.recipes import recipes
from include.bi.roles import READER_SETTINGS, prepare
from include.bi.server import EmbeddedPostgres, ServerNotStarted
from include.disk import why_full
from include.settings import Home
from tests import bi_world


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with bi_world.postgres() as server:
        yield server


@pytest.fixture
def publisher(server: EmbeddedPostgres) -> Iterator[BiTarget]:
    """The store as it was before the first publication."""
    found = server.target(PUBLISHER)
    yield found
    with found.connect() as connection:
        connection.execute("drop schema if exists marts, store, publication cascade")


def version(folder: Path, name: str, *statements: str) -> Path:
    """A published file with what the statements create."""
    found = folder / name
    found.mkdir()
    with duckdb.connect(str(found / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema marts; set schema = 'marts'")
        for statement in statements:
            connection.execute(statement)
    return found


def publish(folder: Path, to: BiTarget) -> None:
    bi.load(folder, to)
    bi.show(folder.name, to)


def rows(to: BiTarget, query: str) -> list[tuple[Any, ...]]:
    with to.connect() as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


# configuration


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in (
        "INSIGHT_BI_POSTGRES",
        "AIRFLOW_CONN_BI_POSTGRES",
        "INSIGHT_BI_PASSWORD_FILE",
        "AIRFLOW_CTX_DAG_ID",
        "INSIGHT_BI_TAKE_OVER",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / "secrets"))
    return monkeypatch


def test_without_a_connection_publication_stays_in_files(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert target() is None
    assert bi.load(tmp_path) is False
    assert bi.roll_forward(tmp_path) is False
    bi.show("anything")
    assert bi.shown() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSIGHT_BI_POSTGRES", "postgresql://bi_publisher:s3cret@bi.example:5433/insight?sslmode=require"),
        ("INSIGHT_BI_POSTGRES", "host=bi.example port=5433 dbname=insight user=bi_publisher password=s3cret sslmode=require"),
        ("AIRFLOW_CONN_BI_POSTGRES", "postgres://bi_publisher:s3cret@bi.example:5433/insight?sslmode=require"),
        (
            "AIRFLOW_CONN_BI_POSTGRES",
            json.dumps(
                {"conn_type": "postgres", "host": "bi.example", "port": 5433, "login": "bi_publisher", "password": "s3cret"}
                | {"schema": "insight", "extra": {"sslmode": "require"}}
            ),
        ),
    ],
)
def test_every_form_of_connection_means_the_same(clean: pytest.MonkeyPatch, name: str, value: str) -> None:
    clean.setenv(name, value)
    found = target()
    assert found is not None
    wanted = {"host": "bi.example", "port": "5433", "dbname": "insight", "user": "bi_publisher", "password": "s3cret"}
    assert found.parameters == {**wanted, "sslmode": "require"}
    assert str(found) == "bi.example:5433/insight as bi_publisher"
    assert "s3cret" not in f"{found} {found!r}"


def test_airflow_is_asked_only_where_told_and_its_silence_is_an_error(clean: pytest.MonkeyPatch) -> None:
    """Airflow's SDK swallows the errors of its backends: an API server that is away looks like a connection that is not there."""
    import airflow.sdk.execution_time.supervisor as supervisor

    class Away:
        def get_connection(self, conn_id: str) -> None:
            raise ConnectionError("the API server does not answer")

    clean.setenv("AIRFLOW_CTX_DAG_ID", "build_warehouse")
    clean.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [Away()])
    assert target() is None
    clean.setenv("INSIGHT_BI_POSTGRES", "airflow:bi_postgres")
    with pytest.raises(BiStoreUnreachable, match=r"'bi_postgres'.* its API server does not answer"):
        target()

    class There:
        def get_connection(self, conn_id: str) -> Any:
            from airflow.sdk import Connection

            return Connection(conn_id=conn_id, conn_type="postgres", host="bi.example", login="bi_publisher", port=5433)

    clean.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [There()])
    assert str(target()) == "bi.example:5433/insight as bi_publisher"


def test_a_password_may_lie_in_a_file(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("INSIGHT_BI_POSTGRES", "postgresql://bi_publisher@bi.example/insight")
    assert "password" not in target().parameters  # type: ignore[union-attr]
    among_the_secrets = password_file(PUBLISHER)
    assert target().parameters["password"] == among_the_secrets.read_text().strip()  # type: ignore[union-attr]
    (tmp_path / "mounted").write_text("from a mounted file\n")
    clean.setenv("INSIGHT_BI_PASSWORD_FILE", str(tmp_path / "mounted"))
    assert target().parameters["password"] == "from a mounted file"  # type: ignore[union-attr]


@pytest.mark.parametrize("value", ["postgresql://u:s3cret@[h/insight", '{"conn_type": s3cret', '{"login": "s3cret"}', "s3cret"])
def test_what_is_no_connection_is_told_without_repeating_it(clean: pytest.MonkeyPatch, value: str) -> None:
    clean.setenv("AIRFLOW_CONN_BI_POSTGRES", value)
    with pytest.raises(BiConnectionUnreadable, match="AIRFLOW_CONN_BI_POSTGRES") as error:
        target()
    assert "s3cret" not in str(error.value)


def test_a_server_that_does_not_answer_is_named_without_the_password(server: EmbeddedPostgres, tmp_path: Path) -> None:
    wrong = BiTarget({**server.target(PUBLISHER).parameters, "password": "s3cret"})
    for unreachable in (wrong, BiTarget({**wrong.parameters, "port": "1"})):
        with pytest.raises(
            BiStoreUnreachable, match=f"127.0.0.1:{unreachable.parameters['port']}/insight as bi_publisher"
        ) as error:
            bi.load(tmp_path, unreachable)
        assert "s3cret" not in str(error.value)


def test_a_connection_notices_a_peer_that_has_gone_without_a_word(server: EmbeddedPostgres) -> None:
    with server.target(PUBLISHER).connect() as connection, socket.socket(fileno=os.dup(connection.pgconn.socket)) as tcp:
        keep = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [tcp.getsockopt(socket.IPPROTO_TCP, each) for each in keep] == [30, 10, 3, 60_000]
        assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        shown = [f"tcp_{name}" for name in ("keepalives_idle", "keepalives_interval", "keepalives_count", "user_timeout")]
        at_the_server = [connection.execute("select setting from pg_settings where name = %s", [name]).fetchall() for name in shown]
        assert at_the_server == [[("30",)], [("10",)], [("3",)], [("60000",)]]
    with BiTarget({**server.target(PUBLISHER).parameters, "keepalives_idle": "7"}).connect() as connection:
        assert connection.info.get_parameters()["keepalives_idle"] == "7", "what is configured goes first"


def test_passwords_are_drawn_once_and_private(clean: pytest.MonkeyPatch) -> None:
    path = password_file(READER)
    drawn = path.read_text()
    assert len(drawn) > 30
    assert password_file(READER).read_text() == drawn
    assert password_file(PUBLISHER).read_text() != drawn
    for private in (path, passfile(READER, "127.0.0.1", 5432)):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_no_recipe_holds_the_password_and_every_tool_has_one(clean: pytest.MonkeyPatch) -> None:
    password = password_file(READER)
    found = recipes("127.0.0.1", 5432, password, passfile(READER, "127.0.0.1", 5432))
    assert {"Power BI", "Tableau", "Superset", "Metabase", "psql", "pandas", "DuckDB"} <= found.keys()
    assert password.read_text().strip() not in str(found)


# the server


def test_of_one_folder_one_server(server: EmbeddedPostgres) -> None:
    with pytest.raises(ServerNotStarted, match="another process already runs"), EmbeddedPostgres(server.folder):
        pass


def test_a_taken_port_is_told(server: EmbeddedPostgres) -> None:
    told = pytest.raises(ServerNotStarted, match=f"port {server.port} .* choose another")
    with TemporaryDirectory(prefix="insight_bi_") as folder, told, EmbeddedPostgres(Path(folder), server.port):
        pass


def test_data_and_passwords_outlive_the_server_and_a_killed_one_is_stopped_first() -> None:
    with bi_world.postgres() as first:
        folder, before = first.folder, first.target(READER).parameters["password"]
        with first.target(PUBLISHER).connect() as connection:
            connection.execute("create table public.kept as select 1 as n")
        first._lock.release()  # as if our process were gone, and PostgreSQL still there
        left = first.pid
        with EmbeddedPostgres(folder, settings=bi_world.FAST) as second:
            assert rows(second.target(PUBLISHER), "select n from public.kept") == [(1,)]
            assert second.target(READER).parameters["password"] == before
            assert left is not None
            with pytest.raises(ServerNotStarted, match="has ended by itself"):
                first.check()


def test_only_loopback_and_only_with_a_password(server: EmbeddedPostgres) -> None:
    admin = server.target("postgres", "postgres")
    assert rows(admin, "show listen_addresses") == [("127.0.0.1",)]
    assert {row[0] for row in rows(admin, "select auth_method from pg_hba_file_rules")} == {"scram-sha-256"}
    assert rows(admin, "select rolname from pg_authid where rolpassword not like 'SCRAM-SHA-256$%' and rolcanlogin") == []
    for user in (READER, PUBLISHER, "postgres"):
        without = BiTarget({**server.target(user).parameters, "password": "postgres", "passfile": os.devnull})
        with pytest.raises(BiStoreUnreachable, match="password authentication failed"):
            without.connect()


# what is loaded


EVERYTHING = r"""
    create table fct_post as select * from (values
        (1::bigint, 'a "quoted", text' || chr(10) || 'and \. \N line', 0.1::double + 0.2, true,
         timestamptz '2026-11-02 21:00:00.123456+00', date '0001-01-01', 123.45::decimal(18, 2),
         170141183460469231731687303715884105727::hugeint, 7::tinyint, 2147483647),
        (-9223372036854775808, '', 'nan'::double, false,
         timestamptz '1999-12-31 23:59:59.999999+00', date '9999-12-31', -0.01, 0, -1, 0),
        (null, null, null, null, null, null, null, null, null, null),
        (0, 'Heddlu: Llŷn, café 👮', 1e-300, true, timestamptz '2026-03-29 00:30:00+00', date '2026-03-29', 0, -5, 0, -1))
        as t(a_bigint, a_text, a_double, a_boolean, an_instant, a_date, a_decimal, a_hugeint, a_tinyint, an_integer)
"""
TYPES = {
    "a_bigint": "bigint",
    "a_text": "text",
    "a_double": "double precision",
    "a_boolean": "boolean",
    "an_instant": "timestamp with time zone",
    "a_date": "date",
    "a_decimal": "numeric(18,2)",
    "a_hugeint": "numeric(39,0)",
    "a_tinyint": "smallint",
    "an_integer": "integer",
}


def test_every_type_and_value_arrives_as_it_was(publisher: BiTarget, server: EmbeddedPostgres, tmp_path: Path) -> None:
    folder = version(tmp_path, "p1", EVERYTHING)
    publish(folder, publisher)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as file:
        expected = file.execute("from marts.fct_post order by a_bigint").fetchall()
    found = rows(server.target(READER), "select * from marts.fct_post order by a_bigint")
    assert [comparable(row) for row in found] == [comparable(row) for row in expected]
    with publisher.connect() as connection:
        assert layout.columns_of(connection, "marts")["fct_post"] == TYPES


def comparable(row: tuple[Any, ...]) -> list[Any]:
    """Instants in UTC, whole decimals as integers, NaN equal to itself; everything else exactly as it is."""
    found = []
    for value in row:
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        elif isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        found.append("NaN" if isinstance(value, float) and math.isnan(value) else value)
    return found


def test_the_character_nul_is_left_out(publisher: BiTarget, tmp_path: Path) -> None:
    publish(version(tmp_path, "p1", "create table dim_force as select 'a' || chr(0) || 'b' as official_name"), publisher)
    assert rows(publisher, "select official_name from marts.dim_force") == [("ab",)]


def test_a_type_without_a_faithful_column_is_named_and_nothing_is_loaded(publisher: BiTarget, tmp_path: Path) -> None:
    with pytest.raises(layout.TypeNotMapped, match=r"dim_force\.tags has the type VARCHAR\[\]"):
        bi.load(version(tmp_path, "p1", "create table dim_force as select ['a'] as tags"), publisher)
    assert bi.shown(publisher) is None


def test_comments_of_tables_and_columns_follow_the_published_file(publisher: BiTarget, tmp_path: Path) -> None:
    table = "create table dim_force as select 'gwent' as force_id, 1 as n"
    comments = ("comment on table dim_force is 'Grain: force. It''s one.'", "comment on column dim_force.force_id is 'Slug'")
    asked = "select obj_description('marts.dim_force'::regclass), col_description('marts.dim_force'::regclass, 1)"
    publish(version(tmp_path, "p1", table, *comments), publisher)
    assert rows(publisher, asked) == [("Grain: force. It's one.", "Slug")]
    publish(version(tmp_path, "p2", table, "comment on table dim_force is 'Another'"), publisher)
    assert rows(publisher, asked) == [("Another", None)]


def test_the_usual_filters_use_an_index(publisher: BiTarget, tmp_path: Path) -> None:
    statement = """create table hmicfrs_metrics as select 'f' || n % 43 as force_id, 'p' || n % 3 as platform,
        date '2026-01-01' as month, 'm' || n % 20 as metric, n::double as value from range(20000) r(n)"""
    for name in ("p1", "p2"):
        publish(version(tmp_path, name, statement), publisher)
    for condition in ("force_id = 'f1' and metric = 'm1'", "metric = 'm1' and platform = 'p1'", "month = date '2025-12-01'"):
        plan = "\n".join(
            row[0] for row in rows(publisher, f"explain select sum(value) from marts.hmicfrs_metrics where {condition}")
        )
        assert "Index" in plan, plan
        assert "Seq Scan on hmicfrs_metrics" not in plan, plan


# one publication after another


def test_loaded_is_not_shown_and_shown_replaces_it_all(publisher: BiTarget, tmp_path: Path) -> None:
    publish(
        version(tmp_path, "p1", "create table dim_force as select 1 as n", "create table dim_status as select 'old' as code"),
        publisher,
    )
    second = version(tmp_path, "p2", "create table dim_force as select 2 as n from range(3)")
    bi.load(second, publisher)
    bi.load(second, publisher)
    assert rows(publisher, "select n from marts.dim_force") == [(1,)]
    assert bi.shown(publisher) == "p1"
    bi.show("p2", publisher)
    assert rows(publisher, "select n from marts.dim_force") == [(2,), (2,), (2,)]
    assert bi.shown(publisher) == "p2"
    assert list(layout.columns_of(publisher.connect(), "marts")) == ["dim_force"], "a table that left the contract has no view"
    assert rows(publisher, "select count(*) from store.dim_force") == [(3,)], "what nobody can see any more is gone"
    assert rows(publisher, "select publication_id from publication.loaded") == [("p2",)]
    with pytest.raises(LookupError, match="p3 is not loaded"):
        bi.show("p3", publisher)


def test_columns_come_go_and_change_their_type_under_the_eyes_of_an_old_snapshot(
    publisher: BiTarget, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    publish(version(tmp_path, "p1", "create table dim_force as select 1 as n, 'x' as gone, 'a' as kept"), publisher)
    with server.target(READER).connect() as reader:
        reader.execute("begin isolation level repeatable read; select 1 from pg_class limit 1")
        publish(version(tmp_path, "p2", "create table dim_force as select 'new' as added, 'two' as n, 'b' as kept"), publisher)
        assert reader.execute("select kept, n from marts.dim_force").fetchall() == [("a", "1")], "its own, by the new view"
        reader.execute("commit")
        assert reader.execute("select * from marts.dim_force").fetchall() == [("new", "two", "b")]
    assert layout.columns_of(publisher.connect(), "marts")["dim_force"] == {"added": "text", "n": "text", "kept": "text"}
    publish(version(tmp_path, "p3", "create table dim_force as select 3 as n, 'c' as kept"), publisher)
    assert rows(publisher, "select * from marts.dim_force") == [(3, "c")]


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("7::integer", "8.5::double", 7.0),
        ("7::integer", "8::bigint", 7),
        ("7::smallint", "'eight'", "7"),
        ("true", "'eight'", "true"),
        ("date '2026-11-02'", "timestamp '2026-11-03 10:00:00'", datetime.fromisoformat("2026-11-02")),
        ("8.5::double", "7::integer", None),
        ("9.99::decimal(18, 4)", "7::decimal(10, 2)", None),
        ("'text'", "true", None),
        ("timestamptz '2026-11-03 10:00:00+00'", "date '2026-11-02'", None),
    ],
)
def test_an_old_snapshot_never_gets_null_for_a_value_whose_type_changed(
    publisher: BiTarget, server: EmbeddedPostgres, tmp_path: Path, before: str, after: str, seen: Any
) -> None:
    """Where the new type may not hold the value as it is, an error says so (seen: None)."""
    values = "create table dim_force as select unnest([null, {}]) as v, 'kent' as force_id"
    publish(version(tmp_path, "p1", values.format(before)), publisher)
    with server.target(READER).connect() as reader:
        reader.execute("begin isolation level repeatable read; select 1 from pg_class limit 1")
        publish(version(tmp_path, "p2", values.format(after)), publisher)
        if seen is not None:
            assert reader.execute("select v from marts.dim_force order by 1 nulls first").fetchall() == [(None,), (seen,)]
        assert reader.execute("select force_id from marts.dim_force").fetchall() == [("kent",)] * 2
        if seen is None:
            with pytest.raises(psycopg.DataError, match=r"the type of dim_force\.v changed while this transaction reads an older"):
                reader.execute("select v from marts.dim_force")
        reader.execute("rollback")
    with duckdb.connect() as connection:
        wanted = connection.execute(f"select {after}").fetchall()[0][0]
    now = "select v from marts.dim_force order by 1 nulls first"
    assert rows(publisher, now) == [(None,), (wanted,)]
    publish(version(tmp_path, "p3", values.format(before)), publisher)
    assert rows(publisher, now)[0] == (None,)
    with publisher.connect() as connection, duckdb.connect() as expected:
        kind = str(expected.execute(f"select typeof({before})").fetchall()[0][0])
        assert layout.columns_of(connection, "marts")["dim_force"]["v"] == layout.postgres_type(kind, "")


def test_a_reader_of_the_old_columns_is_waited_for_but_never_for_ever(
    publisher: BiTarget, server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LAYOUT_ATTEMPTS", 2)
    publish(version(tmp_path, "p1", "create table dim_force as select 1 as n, 'x' as gone"), publisher)
    added, less = (
        version(tmp_path, name, f"create table dim_force as select 2 as n{more}")
        for name, more in (("p2", ", 'x' as gone, 'y' as added"), ("p3", ""))
    )
    with server.target(READER).connect() as reader:
        for changed in (added, less):  # the first needs a new column in the store, the second nothing but other views
            reader.execute("begin; select * from marts.dim_force")
            with pytest.raises(store.ReadersHoldTheViews, match=r"nothing is switched.*idle in transaction"):
                bi.load(changed, publisher)
            assert reader.execute("select * from marts.dim_force").fetchall() == [(1, "x")]
            reader.execute("commit")
        bi.load(less, publisher)
        reader.execute("begin; select * from marts.dim_force")
        with pytest.raises(store.ReadersHoldTheViews, match="while files may show the new one"):
            bi.show("p3", publisher)
        reader.execute("commit")
    assert bi.roll_forward(less, publisher)
    assert rows(publisher, "select * from marts.dim_force") == [(2,)]


def test_a_repeatable_read_transaction_keeps_its_publication_through_many_others_and_blocks_none(
    publisher: BiTarget, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    statement = (
        "create table dim_force as select {n} as n from range(1000); create table dim_status as select {n} as n from range(500)"
    )
    publish(version(tmp_path, "p00", statement.format(n=0)), publisher)
    count = "select count(*), min(n), max(n) from marts.{}"
    with server.target(READER).connect() as old, server.target(READER).connect() as now:
        old.execute("begin isolation level repeatable read; select 1 from pg_class limit 1")  # a snapshot, and no table touched yet
        for number in range(1, 6):
            publish(version(tmp_path, f"p{number:02}", statement.format(n=number)), publisher)
            assert now.execute(count.format("dim_force")).fetchall() == [(1000, number, number)]
            assert old.execute(count.format("dim_force")).fetchall() == [(1000, 0, 0)]
        assert old.execute(count.format("dim_status")).fetchall() == [(500, 0, 0)], "a table that it reads for the first time now"
        old.execute("commit")
        assert old.execute(count.format("dim_status")).fetchall() == [(500, 5, 5)]
    sizes = []
    for number in range(6, 12):
        publish(version(tmp_path, f"p{number:02}", statement.format(n=number)), publisher)
        sizes.append(rows(publisher, "select pg_relation_size('store.dim_force'), pg_relation_size('store.dim_status')"))
    assert sizes[0] == sizes[-1], "once nobody can see them, the room of old rows is used again"


def test_publishing_takes_no_lock_that_a_reader_waits_for(publisher: BiTarget, server: EmbeddedPostgres, tmp_path: Path) -> None:
    statement = "create table dim_force as select {n} as n from range(100)"
    publish(version(tmp_path, "p1", statement.format(n=1)), publisher)
    with publisher.connect() as holder:  # an open transaction of a reader would be in the way of any stronger lock
        holder.execute(
            "begin; lock table marts.dim_force, store.dim_force, publication.current, publication.loaded in access share mode"
        )
        publish(version(tmp_path, "p2", statement.format(n=2)), publisher)
        holder.execute("commit")
    assert rows(server.target(READER), "select distinct n from marts.dim_force") == [(2,)]


def test_roll_forward_shows_what_the_files_show(publisher: BiTarget, tmp_path: Path) -> None:
    statement = "create table dim_force as select {n} as n"
    first, second = (version(tmp_path, f"p{number}", statement.format(n=number)) for number in (1, 2))
    assert bi.roll_forward(None, publisher) is False
    assert bi.roll_forward(first, publisher) is True
    assert bi.roll_forward(first, publisher) is False
    bi.load(second, publisher)
    assert bi.roll_forward(second, publisher) is True
    assert rows(publisher, "select n from marts.dim_force") == [(2,)]
    assert bi.roll_forward(first, publisher) is True, "the files were restored from a backup: they are right"
    assert bi.shown(publisher) == "p1"


def test_a_full_disk_of_the_server_is_not_taken_for_this_machines(
    publisher: BiTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is PostgreSQL's own, raised in a transaction there."""
    folder = version(tmp_path, "p1", "create table dim_force as select 1 as n")

    def full(file: Any, connection: psycopg.Connection[Any], table: layout.Table, number: int) -> int:
        told = "could not extend file base/1/2: No space left on device"
        connection.execute(f"do $$ begin raise exception using errcode = 'disk_full', message = '{told}'; end $$")
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(store, "_copy", full)
        full_there = r"the disk of PostgreSQL for BI \(127\.0\.0\.1:\d+/insight as bi_publisher\) is full \(could not extend"
        with pytest.raises(BiDiskFull, match=full_there) as error:
            bi.load(folder, publisher)
    assert why_full(error.value) is None
    publish(folder, publisher)
    assert bi.shown(publisher) == "p1"


def test_an_older_publication_does_not_replace_a_newer_one(publisher: BiTarget, tmp_path: Path) -> None:
    statement = "create table dim_force as select {n} as n"
    first, second, third = (version(tmp_path, f"p{number}", statement.format(n=number)) for number in (1, 2, 3))
    publish(second, publisher)
    with pytest.raises(store.OlderThanShown, match="shows p2, which is newer than p1"):
        bi.load(first, publisher)
    bi.load(first, publisher, may_go_back=True)
    with pytest.raises(store.OlderThanShown, match="shows p2, which is newer than p1"):
        bi.show("p1", publisher)
    assert rows(publisher, "select n from marts.dim_force") == [(2,)]
    bi.load(third, publisher)
    loaded = "select publication_id from publication.loaded order by 1"
    assert rows(publisher, loaded) == [("p2",), ("p3",)]
    bi.load(first, publisher, may_go_back=True)
    bi.show("p1", publisher, may_go_back=True)
    bi.show("p3", publisher)
    assert rows(publisher, "select n from marts.dim_force") == [(3,)], "what another has loaded in the meantime is still there"
    assert rows(publisher, loaded) == [("p3",)]
    bi.load(version(tmp_path, "p9", statement.format(n=9)), publisher)
    with publisher.connect() as connection:
        connection.execute("update publication.loaded set loaded_at = loaded_at - interval '25 hours' where publication_id = 'p9'")
    publish(version(tmp_path, "p4", statement.format(n=4)), publisher)
    assert rows(publisher, loaded) == [("p4",)], "and does not stay for ever"


def test_a_database_is_one_homes_until_another_takes_it_over_on_purpose(
    publisher: BiTarget, tmp_path: Path, clean: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = (replace(publisher, home_id=name) for name in ("here", "there"))
    folder = version(tmp_path, "p1", "create table dim_force as select 1 as n")
    publish(folder, here)
    bi.show("p1", here)
    refused = r"has been the state folder here's since .* this one is there .* INSIGHT_BI_TAKE_OVER=here"
    newer = version(tmp_path, "p2", "create table dim_force as select 2 as n")
    clean.setenv("INSIGHT_BI_TAKE_OVER", "somebody")
    for call in (
        lambda: bi.load(newer, there),
        lambda: bi.show("p1", there),
        lambda: bi.roll_forward(None, there),
        lambda: bi.roll_forward(newer, there),
    ):
        with pytest.raises(store.AnotherHome, match=refused):
            call()
    assert bi.shown(publisher) == "p1"
    clean.setenv("INSIGHT_BI_TAKE_OVER", "here")
    publish(newer, there)
    assert "taken over from the state folder here by there" in caplog.text
    with pytest.raises(store.AnotherHome, match="state folder there's"):
        bi.show("p1", here)
    bi.roll_forward(folder, replace(here, takes_over=True))
    assert bi.shown(publisher) == "p1"


def test_a_database_without_the_reader_says_who_makes_it(server: EmbeddedPostgres, tmp_path: Path) -> None:
    admin = server.target("postgres", "postgres")
    with admin.connect() as connection:
        connection.execute(f"alter role {READER} rename to somebody_else")
        try:
            with pytest.raises(RuntimeError, match=r"python -m include\.bi\.roles"):
                bi.load(version(tmp_path, "p1", "create table dim_force as select 1 as n"), server.target(PUBLISHER))
        finally:
            connection.execute(f"alter role somebody_else rename to {READER}")
    prepare(admin, *(password_file(role).read_text().strip() for role in (PUBLISHER, READER)))


# what the reader is refused


REFUSED = [
    ("insert into marts.dim_force values (1)", psycopg.errors.InsufficientPrivilege),
    ("update marts.dim_force set n = 2", psycopg.errors.InsufficientPrivilege),
    ("delete from marts.dim_force", psycopg.errors.InsufficientPrivilege),
    ("truncate store.dim_force", psycopg.errors.InsufficientPrivilege),
    ("drop view marts.dim_force", psycopg.errors.InsufficientPrivilege),
    ("alter view marts.dim_force rename to gone", psycopg.errors.InsufficientPrivilege),
    ("create table marts.mine (n integer)", psycopg.errors.InsufficientPrivilege),
    ("create table public.mine (n integer)", psycopg.errors.InsufficientPrivilege),
    ("create temporary table mine (n integer)", psycopg.errors.InsufficientPrivilege),
    ("create schema mine", psycopg.errors.InsufficientPrivilege),
    ("create function marts.f() returns integer language sql as 'select 1'", psycopg.errors.InsufficientPrivilege),
    ("create extension vector", psycopg.errors.InsufficientPrivilege),
    ("select * from store.dim_force", psycopg.errors.InsufficientPrivilege),
    ("select * from publication.current", psycopg.errors.InsufficientPrivilege),
    ("update publication.current set number = 1", psycopg.errors.InsufficientPrivilege),
    ("select pg_read_file('PG_VERSION')", psycopg.errors.InsufficientPrivilege),
    ("select pg_read_binary_file('PG_VERSION')", psycopg.errors.InsufficientPrivilege),
    ("select pg_ls_dir('.')", psycopg.errors.InsufficientPrivilege),
    ("select rolpassword from pg_authid", psycopg.errors.InsufficientPrivilege),
    ("copy (select 1) to program 'cat'", psycopg.errors.InsufficientPrivilege),
    ("copy marts.dim_force from program 'id'", psycopg.errors.InsufficientPrivilege),
    ("copy (select 1) to '/tmp/somewhere'", psycopg.errors.InsufficientPrivilege),
    ("create table x as select 1", psycopg.errors.InsufficientPrivilege),
    ("select lo_from_bytea(0, 'x')", psycopg.errors.InsufficientPrivilege),
    ("select pg_logical_emit_message(false, 'x', 'y')", psycopg.errors.InsufficientPrivilege),
    ("select lo_create(0)", psycopg.errors.InsufficientPrivilege),
    ("select lo_import('/etc/hostname')", psycopg.errors.InsufficientPrivilege),
    ("select pg_advisory_lock(7204310045921)", psycopg.errors.InsufficientPrivilege),
    ("select pg_try_advisory_xact_lock_shared(1, 2)", psycopg.errors.InsufficientPrivilege),
    ("set role bi_publisher", psycopg.errors.InsufficientPrivilege),
    ("alter role bi_reader superuser", psycopg.errors.InsufficientPrivilege),
    ("alter system set work_mem = '1GB'", psycopg.errors.InsufficientPrivilege),
    ("begin; lock table marts.dim_force in access exclusive mode", psycopg.errors.InsufficientPrivilege),
    ("vacuum full store.dim_force", psycopg.errors.InsufficientPrivilege),
]


@pytest.mark.parametrize(("statement", "error"), REFUSED, ids=[statement for statement, _ in REFUSED])
def test_the_reader_is_refused(
    server: EmbeddedPostgres, publisher: BiTarget, tmp_path: Path, statement: str, error: type[psycopg.Error]
) -> None:
    publish(version(tmp_path, "p1", "create table dim_force as select 1 as n"), publisher)
    with server.target(READER).connect() as reader:
        reader.execute("set default_transaction_read_only = off")  # a default only: what refuses must be the rights
        with pytest.raises(error):
            reader.execute(statement)  # type: ignore[call-overload]
        reader.execute("rollback")
        assert reader.execute("select n from marts.dim_force").fetchall() == [(1,)]


def test_the_reader_reads_all_views_may_not_wait_for_ever_and_enters_no_other_database(
    server: EmbeddedPostgres, publisher: BiTarget, tmp_path: Path
) -> None:
    publish(version(tmp_path, "p1", *(f"create table {name} as select 1 as n" for name in contract.published_tables())), publisher)
    reader = server.target(READER)
    for name in contract.published_tables():
        assert rows(reader, f"select n from {name}") == [(1,)], "the search path leads to the marts"
    assert rows(reader, "show statement_timeout") == [("5min",)]
    assert rows(reader, "show idle_in_transaction_session_timeout") == [("15min",)]
    assert rows(reader, "show default_transaction_read_only") == [("on",)]
    assert rows(reader, "show timezone") == [("UTC",)]
    system = "('pg_catalog', 'information_schema')"
    readable = f"select table_schema || '.' || table_name from information_schema.tables where table_schema not in {system}"
    assert {row[0] for row in rows(reader, readable)} == {f"marts.{name}" for name in contract.published_tables()}
    for database in ("postgres", "template1"):
        with pytest.raises(BiStoreUnreachable, match="no pg_hba"):
            reader.connect(dbname=database)


def test_what_a_reader_changed_of_the_shared_role_is_set_back(server: EmbeddedPostgres) -> None:
    admin, reader = server.target("postgres", "postgres"), server.target(READER)
    with reader.connect() as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute("alter role bi_reader set search_path = pg_catalog")
        connection.execute("alter role bi_reader set work_mem = '1GB'")
        connection.execute("alter role bi_reader in database insight set statement_timeout = 0")
        connection.execute("alter role bi_reader password 'mine'")
    prepare(admin, *(password_file(role).read_text().strip() for role in (PUBLISHER, READER)))
    assert rows(reader, "show search_path") == [("marts",)]
    assert rows(reader, "show statement_timeout") == [("5min",)]
    kept = "select unnest(setconfig) from pg_db_role_setting where setrole = 'bi_reader'::regrole"
    assert {row[0].partition("=")[0] for row in rows(admin, kept)} == READER_SETTINGS.keys()


def test_readers_leave_connections_to_the_publisher() -> None:
    with bi_world.postgres({"max_connections": "12"}) as server:
        held: list[psycopg.Connection[Any]] = []
        with pytest.raises(BiStoreUnreachable, match="too many connections for role"):
            held.extend(server.target(READER).connect() for _ in range(12))
        held.extend(server.target(PUBLISHER).connect() for _ in range(3))
        for each in held:
            each.close()


def test_databases_that_the_reader_may_still_enter_are_named(server: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]) -> None:
    admin = server.target("postgres", "postgres")
    passwords = [password_file(role).read_text().strip() for role in (PUBLISHER, READER)]
    prepare(admin, *passwords)
    assert capsys.readouterr().out == ""
    asked = "select datname from pg_database where has_database_privilege('bi_reader', oid, 'connect, temporary')"
    assert rows(admin, f"{asked} and datallowconn") == [("insight",)]
    with admin.connect() as connection:
        connection.execute("create database somebody_elses")
    try:
        prepare(admin, *passwords)
        assert "may also connect to what lets PUBLIC connect: somebody_elses" in capsys.readouterr().out
    finally:
        with admin.connect() as connection:
            connection.execute("drop database somebody_elses")


def test_a_lock_that_readers_may_take_is_told(
    server: EmbeddedPostgres, publisher: BiTarget, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = version(tmp_path, "p1", "create table dim_force as select 1 as n")
    bi.load(folder, publisher)
    assert "include.bi.roles" not in caplog.text
    with server.target("postgres").connect() as admin:
        admin.execute("grant execute on function pg_advisory_lock(bigint) to bi_reader")
        bi.show("p1", publisher)
        assert "run python -m include.bi.roles again" in caplog.text
        monkeypatch.setattr(store, "WAIT_FOR_PUBLISHER_SECONDS", 1)
        with server.target(READER).connect() as reader:
            reader.execute("select pg_advisory_lock(7204310045921)")
            with pytest.raises(store.AnotherPublisher, match="pg_locks"):
                bi.show("p1", publisher)
        admin.execute("revoke execute on function pg_advisory_lock(bigint) from bi_reader")


def test_make_serve_says_an_error_once_and_goes_on(
    publisher: BiTarget, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    folder = version(tmp_path, "p1", "create table dim_force as select 1 as n")
    monkeypatch.setattr(serve, "current_version", lambda home: folder)
    away = BiTarget({**publisher.parameters, "port": "1"})
    trouble = serve.keep_in_step(home, away)
    assert serve.keep_in_step(home, away, trouble) == trouble
    assert capsys.readouterr().err.count("127.0.0.1:1/insight as bi_publisher") == 1
    assert serve.keep_in_step(home, publisher, trouble) == ""
    assert capsys.readouterr().out == "Now showing p1\nIn step again with what is published\n"


def test_a_condition_of_the_reader_is_never_tried_on_rows_of_another_publication(
    server: EmbeddedPostgres, publisher: BiTarget, tmp_path: Path
) -> None:
    publish(version(tmp_path, "p1", "create table dim_force as select '1' as n"), publisher)
    bi.load(version(tmp_path, "p2", "create table dim_force as select 'not a number' as n"), publisher)
    assert rows(server.target(READER), "select n from marts.dim_force where n::integer / 1 > 0") == [("1",)]
