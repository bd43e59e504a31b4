"""PostgreSQL for BI: the published tables behind stable views, switched by one UPDATE of one row (docs/bi.md).

    marts.<table>         views with exactly the columns of the contract: all that `bi_reader` may read
    store.<table>         rows of every loaded publication, marked by `in_publication`
    publication.loaded    what has been loaded completely, shown or not
    publication.current   one row: the publication that the views show
    publication.home      one row: the state folder whose publications these are

A statement has one snapshot, and the views find `publication.current` and the rows in it: it sees one publication. A REPEATABLE
READ transaction has one snapshot throughout. Old rows are deleted, never dropped or truncated: PostgreSQL itself keeps them for
every snapshot that is older than the deletion, and no lock is taken that a reader would wait for.

Without a configured connection (include/bi/connection.py) all calls do nothing: publication stays in files.
"""

from include.bi.connection import BiStoreUnreachable, BiTarget, target
from include.bi.store import load, roll_forward, show, shown

__all__ = ["BiStoreUnreachable", "BiTarget", "load", "roll_forward", "show", "shown", "target"]
