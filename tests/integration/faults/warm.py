"""What the stages need, imported once by the server that they are forked from."""

import duckdb
import great_expectations
import pyarrow.parquet
import requests
from dbt.adapters.duckdb import connections
from dbt.cli import main

import expectations.publish_gates
import include.accepted
import include.collect
import include.data_docs
import include.publish
import include.statistics
import include.validation
import include.warehouse

__all__ = ["connections", "duckdb", "expectations", "great_expectations", "include", "main", "pyarrow", "requests"]
