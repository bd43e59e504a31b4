"""Forces and their accounts by what people call them in the files that they drop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from extractors import upload_cells as cells
from extractors.upload_cells import Wrong

Seeds = Mapping[str, list[dict[str, str]]]


class Register:
    """Forces, and a platform's accounts, by what people call them."""

    def __init__(self, seeds: Seeds, platform: str) -> None:
        self.platform = platform
        self._forces: dict[str, str] = {}
        for row in seeds["forces"]:
            for name in ("force_id", "official_name", "other_name"):
                if row.get(name):
                    self._forces[row[name].casefold()] = row["force_id"]
        self._accounts: dict[str, dict[str, str]] = defaultdict(dict)
        for row in seeds["accounts"]:
            if row["platform"] == platform:
                for name in ("account_id", "handle"):
                    self._accounts[row["force_id"]][row[name].casefold()] = row["account_id"]

    def force(self, cell: Any) -> str:
        """Raises Wrong."""
        if cell is None:
            raise Wrong("cell_missing", "is empty")
        found = self._forces.get(cells.text(cell).casefold())
        if found is None:
            raise Wrong("force_unknown", f"is not in the register ({cells.shown(cell)}); see the sheet 'lists' of the template")
        return found

    def account(self, force_id: str, cell: Any) -> str:
        """Raises Wrong."""
        own = self._accounts.get(force_id, {})
        ids = sorted(set(own.values()))
        if cell is None:
            if len(ids) == 1:
                return ids[0]
            raise Wrong("account_unknown", f"is empty, and {force_id} has {len(ids)} accounts on {self.platform} in the register")
        said = str(cell).strip()
        found = own.get(said.casefold()) or own.get(said.lstrip("@").casefold())
        if found is None:
            raise Wrong(
                "account_unknown",
                f"is none of {force_id} on {self.platform} in the register ({cells.shown(cell)}); see the sheet 'lists'",
            )
        return found
