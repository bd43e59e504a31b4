"""What all DAGs share: owner, retries, pools, the parameters of a run, and how a run turns red by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule, get_current_context, task
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.sdk.exceptions import AirflowSkipException

from extractors.base import (
    AccountClosed,
    ApiSource,
    BadFile,
    CreditsDepleted,
    PermissionMissing,
    RetiredMetric,
    Source,
    Throttled,
    TokenExpired,
    TooFewViewers,
)
from include.settings import LONDON, Home

START_DATE = datetime(2026, 1, 1, tzinfo=UTC)
THROTTLED_DELAY = timedelta(minutes=15)
LONGEST_DELAY = timedelta(hours=1)


class RunFailed(RuntimeError):
    """Some tasks of a run failed. What the others collected is accepted all the same."""


NEVER_RETRIED: list[type[BaseException] | str] = [
    TokenExpired,
    PermissionMissing,
    CreditsDepleted,
    RetiredMetric,
    TooFewViewers,
    AccountClosed,
    BadFile,
    RunFailed,
    "include.bi.connection.BiConnectionUnreadable",
    "include.bi.store.AnotherHome",
    "include.bi.store.OlderThanShown",
    "include.credentials.CredentialsMissing",
    "include.disk.DiskFull",
    "include.expiring.DataExpires",
    "include.publish.GateClosed",
    "include.publish.NothingBuilt",
    "include.publish.OlderThanPublished",
    "include.registry.RegistryError",
    "include.reprocess.NotAllReprocessed",
    "include.run_report.RunNotClean",
    "include.warehouse.BuildFailed",
]
"""Another try in a minute finds the same: these need a person."""


def longest_delay() -> timedelta:
    """No retry waits longer. `INSIGHT_RETRY_SECONDS` shortens it where somebody is waiting at the screen (`make run`)."""
    limit = os.environ.get("INSIGHT_RETRY_SECONDS")
    return min(LONGEST_DELAY, timedelta(seconds=float(limit))) if limit else LONGEST_DELAY


class PlatformRetryPolicy(ExceptionRetryPolicy):
    """The rules below; and a throttle waits for the reset that the platform named, where it named one."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        decision = super().evaluate(exception, try_number, max_tries, context)
        if isinstance(exception, Throttled):
            named = exception.reset_seconds
            delay = THROTTLED_DELAY if named is None else timedelta(seconds=named)
            reason = "Throttled" if named is None else "Throttled, with the reset that the platform named"
            return RetryDecision.retry(min(delay, longest_delay()), reason)
        return decision


RETRY_POLICY = PlatformRetryPolicy(
    rules=[
        RetryRule(exception=NEVER_RETRIED, action=RetryAction.FAIL, reason="Another try finds the same; a person has to act"),
        RetryRule(exception=Throttled, action=RetryAction.RETRY, retry_delay=THROTTLED_DELAY, reason="Throttled"),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "national-social-insight",
    "retries": 2,
    "retry_delay": min(timedelta(minutes=1), longest_delay()),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": longest_delay(),
    "retry_policy": RETRY_POLICY,
}

RUN_PARAMS = {
    "run_date": Param(
        None, type=["null", "string"], format="date", description="Day to collect, YYYY-MM-DD; empty: the London day of the run"
    ),
}
FORCES_PARAM = {
    "forces": Param(None, type=["null", "array"], items={"type": "string"}, description="Only these force ids; empty: every force"),
}
BUILD_PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        description="As-of date, YYYY-MM-DD; empty: the London day of the run; after an asset event the newest accepted run date",
    ),
    "allow_older": Param(False, type="boolean", description="Publish though what stands is as of a later date"),
}


def accepted_asset(source: Source) -> Asset:
    """The asset that says: this source has new accepted rows."""
    return Asset(f"accepted/{source.name}")


def run_date_of(context: Mapping[str, Any]) -> date:
    """The day a run collects: its parameter, or the day in London of its logical date (of its start, where it has none)."""
    asked = context["params"].get("run_date")
    if asked:
        return date.fromisoformat(asked)
    moment: datetime = context.get("logical_date") or context["dag_run"].run_after
    return moment.astimezone(LONDON).date()


def moment_of(context: Mapping[str, Any]) -> datetime | None:
    """When a run's files were had: its logical date (its start, where it has none), if that is within its run date."""
    moment: datetime = context.get("logical_date") or context["dag_run"].run_after
    return moment if moment.astimezone(LONDON).date() == run_date_of(context) else None


def as_of_date(context: Mapping[str, Any]) -> date:
    """What the warehouse is built as of: the parameter, or the day in London of the run's logical date.

    A run that an asset event started has no logical date: it takes the newest accepted run date, or the date of the publication
    that stands, where rows of an earlier day came after it. Skips the task while nothing has been accepted at all.
    """
    from include.publish import newest_accepted_run_date, published_as_of

    asked = context["params"].get("as_of")
    if asked:
        return date.fromisoformat(asked)
    newest = newest_accepted_run_date()
    if newest is None:
        raise AirflowSkipException("nothing has been accepted yet: there is nothing to build")
    moment: datetime | None = context.get("logical_date")
    if moment is not None:
        return moment.astimezone(LONDON).date()
    standing = published_as_of()
    # one that is dated in the future is nobody's to repeat: publication says so
    return standing if standing is not None and newest < standing <= datetime.now(LONDON).date() else newest


def accept(source: Source, collected: Any) -> None:
    """What every ingest ends with, wired behind its collection: validate → the accepted asset → all_collected.

    validate and all_collected run whatever became of the collection; the asset is told only when a row was accepted.
    """

    @task(trigger_rule="all_done")
    def validate() -> dict[str, Any]:
        return validated(source, get_current_context())

    @task(outlets=[accepted_asset(source)])
    def accepted(report: dict[str, Any]) -> None:
        if not any(batch["accepted"] for batch in report["batches"]):
            raise AirflowSkipException("no row was accepted: the warehouse is not built anew")

    @task(trigger_rule="all_done")
    def all_collected(report: dict[str, Any] | None) -> None:
        require_all(report, get_current_context())

    report: Any = validate()
    collected >> report
    accepted(report) >> all_collected(report)


def validated(source: Source, context: Mapping[str, Any]) -> dict[str, Any]:
    """Validates the run's records. Returns RunReport.to_dict(): tasks hand it on as JSON."""
    from include.budget_ledger import used_lines
    from include.budgets import app_of
    from include.validation import validate_run

    report = validate_run(source.name, run_date_of(context), data_docs=True)
    used = used_lines(Home.current(), app_of(source)) if isinstance(source, ApiSource) else []
    print("\n".join([*report.summary_lines(), *used]))
    return report.to_dict()


def landed_days(context: Mapping[str, Any]) -> list[str]:
    """The run dates that `reprocess` was asked for and that have landed something. Skips the task where there is none."""
    from include.reprocess import landed_run_dates

    asked = context["params"]
    found = landed_run_dates(asked["source"], date.fromisoformat(asked["first"]), date.fromisoformat(asked["last"]))
    if not found:
        raise AirflowSkipException(f"{asked['source']} has landed nothing from {asked['first']} to {asked['last']}")
    return [day.isoformat() for day in found]


def reprocessed(day: str, context: Mapping[str, Any]) -> int:
    """Reprocesses one run date; returns the rows accepted. Raises RunNotClean for stopped batches and unmapped fields: holes that
    were holes before turn nothing red."""
    from include.reprocess import reprocess
    from include.run_report import require_clean

    report = reprocess(context["params"]["source"], date.fromisoformat(day))
    print("\n".join(report.summary_lines()))
    require_clean(replace(report, gaps=(), not_attempted=()))
    return report.accepted


def tell_of_reprocessed(rows: int, events: Any, context: Mapping[str, Any]) -> None:
    """The accepted asset of the source that was reprocessed, where any row was accepted."""
    if not rows:
        raise AirflowSkipException("no row was accepted: the warehouse is not built anew")
    events.add(Asset(f"accepted/{context['params']['source']}"))


def failed_tasks(context: Mapping[str, Any]) -> list[str]:
    """Tasks of this run that have failed so far, by id and map index (`collect_17`), sorted."""
    run_id = context["dag_run"].run_id
    states = context["ti"].get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id]).get(run_id, {})
    return sorted(task for task, state in states.items() if state in ("failed", "upstream_failed"))


def require_all(report: dict[str, Any] | None, context: Mapping[str, Any]) -> None:
    """The last task of every ingest: red, with the reason, when the run is not clean or any task before it failed.

    `report`: RunReport.to_dict(), None where validation failed. Raises RunNotClean, RunFailed.
    """
    from include.run_report import RunReport, require_clean

    if report is not None:
        require_clean(RunReport.from_dict(report))
    failed = failed_tasks(context)
    if failed:
        raise RunFailed(f"{len(failed)} tasks failed: {', '.join(failed)}")
