"""How each tool connects. No recipe contains the password: it is typed in from its file, or libpq reads it by itself."""

from __future__ import annotations

from pathlib import Path

from include.bi.connection import DATABASE, READER


def recipes(
    host: str, port: int, password_file: Path, passfile: Path, database: str = DATABASE, user: str = READER
) -> dict[str, str]:
    """What to enter, by tool. passfile: the same password in libpq's form."""
    pairs = f"host={host} port={port} dbname={database} user={user} passfile={passfile}"
    # file names with spaces must be quoted in key=value strings, and encoded in addresses
    pairs = pairs.replace(f"passfile={passfile}", f"passfile='{passfile}'") if " " in str(passfile) else pairs
    encoded = str(passfile).replace("%", "%25").replace(" ", "%20")
    address = f"postgresql://{user}@{host}:{port}/{database}?passfile={encoded}"
    by_hand = f"server {host}, port {port}, database {database}, user {user}, password: the line in {password_file}"
    engine = f'sqlalchemy.create_engine("{address.replace("postgresql:", "postgresql+psycopg:", 1)}")'
    quoted = pairs.replace("'", "''")
    return {
        "Power BI": f"Get data → PostgreSQL database → {by_hand}",
        "Tableau": f"Connect → PostgreSQL → {by_hand}; Authentication: Username and Password",
        "Superset": f"postgresql+psycopg2://{user}:<password>@{host}:{port}/{database}",
        "Metabase": f"Admin → Databases → PostgreSQL → {by_hand}; Schemas: only marts",
        "psql": f'psql "{pairs}"',
        "pandas": f'pd.read_sql_table("dim_force", schema="marts", con={engine})',
        "ADBC": f'adbc_driver_postgresql.dbapi.connect("{address}")',
        "DuckDB": f"load postgres; attach '{quoted}' as bi (type postgres, schema 'marts', read_only);",
    }
