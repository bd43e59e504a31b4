"""The truth of the platforms beside Facebook, counted again through the HTTP API, as test_truth.py does for Facebook."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.simulator.register import SEEDS
from include.simulator.truth import month_truth, post_truth
from tests.simulator.conftest import SEED, Asking
from tests.simulator.test_truth import AS_OF, LONDON, WEEKLY, Seen, is_open, month_of, read

WITHOUT_VIEWS = ("bluesky", "mastodon")
FORCES = ("gwent", "devon-and-cornwall", "dyfed-powys")
ORGANIC = ("likes", "comments", "shares", "reposts")
INSTAGRAM_DEFECTS = [
    Defect("hidden_likes", "gwent", date(2026, 8, 3), AS_OF, platform="instagram"),
    Defect("token_expired", "dyfed-powys", date(2026, 9, 7), date(2026, 9, 7), platform="instagram"),
    Defect("insights_permission_lost", "gwent", date(2026, 10, 5), date(2026, 10, 12), platform="instagram"),
    Defect("duplicate_page", "devon-and-cornwall", date(2026, 9, 21), AS_OF, platform="instagram"),
    Defect("metric_retired", "devon-and-cornwall", date(2026, 8, 31), date(2026, 8, 31), {"metric": "views"}, "instagram"),
    Defect("followers_not_reported", "gwent", date(2026, 9, 1), date(2026, 9, 30), platform="instagram"),
    Defect("token_expired", "gwent", date(2026, 8, 3), AS_OF),  # Facebook's
]
X_DEFECTS = [
    Defect("edited_post", "gwent", date(2026, 9, 7), date(2026, 9, 7), {"age_days": 8}, "x"),
    Defect("edited_post", "gwent", date(2026, 10, 5), date(2026, 10, 5), platform="x"),
    Defect("credits_depleted", "dyfed-powys", date(2026, 9, 7), date(2026, 9, 7), platform="x"),
    Defect("text_number", "gwent", date(2026, 8, 31), date(2026, 9, 28), {"field": "quote_count"}, "x"),
    Defect("duplicate_page", "gwent", date(2026, 9, 21), AS_OF, platform="x"),
    Defect("posts_permission_lost", "devon-and-cornwall", date(2026, 8, 17), date(2026, 8, 17), platform="x"),
]
BLUESKY_DEFECTS = [
    Defect("token_expired", "dyfed-powys", date(2026, 9, 7), date(2026, 9, 7), platform="bluesky"),
    Defect("text_number", "gwent", date(2026, 8, 31), date(2026, 9, 28), {"field": "quoteCount"}, "bluesky"),
    Defect("negative_count", "dyfed-powys", date(2026, 10, 5), date(2026, 10, 31), {"field": "followersCount"}, "bluesky"),
    Defect("duplicate_page", "gwent", date(2026, 9, 21), AS_OF, platform="bluesky"),
    Defect("posts_permission_lost", "devon-and-cornwall", date(2026, 8, 17), date(2026, 8, 17), platform="bluesky"),
    Defect("followers_not_reported", "gwent", date(2026, 9, 1), date(2026, 9, 30), platform="bluesky"),
]
MASTODON_DEFECTS = [
    Defect("text_number", "gwent", date(2026, 8, 31), date(2026, 9, 28), {"field": "replies_count"}, "mastodon"),
    Defect("duplicate_page", "gwent", date(2026, 9, 21), AS_OF, platform="mastodon"),
    Defect("posts_permission_lost", "devon-and-cornwall", date(2026, 8, 17), date(2026, 8, 17), platform="mastodon"),
    Defect("followers_not_reported", "gwent", date(2026, 9, 1), date(2026, 9, 30), platform="mastodon"),
]
YOUTUBE_DEFECTS = [
    Defect("hidden_likes", "gwent", date(2026, 8, 17), date(2026, 8, 23), platform="youtube"),
    Defect("comments_disabled", "devon-and-cornwall", date(2026, 9, 7), date(2026, 9, 13), platform="youtube"),
    Defect("removed_post", "gwent", date(2026, 9, 21), AS_OF, platform="youtube"),
    Defect("removed_post", "devon-and-cornwall", date(2026, 10, 5), AS_OF, {"age_days": 3}, "youtube"),
    Defect("throttle", "dyfed-powys", date(2026, 9, 7), date(2026, 9, 7), {"form": "quota", "count": None}, "youtube"),
    Defect("text_number", "gwent", date(2026, 8, 31), date(2026, 9, 28), {"field": "likeCount"}, "youtube"),
    Defect("followers_not_reported", "devon-and-cornwall", date(2026, 8, 1), date(2026, 8, 31), platform="youtube"),
    Defect("duplicate_page", "gwent", date(2026, 9, 21), AS_OF, platform="youtube"),
    Defect("server_error", "gwent", date(2026, 8, 17), date(2026, 8, 17), {"count": None, "endpoint": "post_insights"}, "youtube"),
]
THREADS_DEFECTS = [
    Defect("insights_permission_lost", "gwent", date(2026, 10, 5), date(2026, 10, 12), platform="threads"),
    Defect("metric_retired", "devon-and-cornwall", date(2026, 8, 31), date(2026, 9, 6), {"metric": "quotes"}, "threads"),
    Defect("metric_retired", "dyfed-powys", date(2026, 10, 19), date(2026, 10, 31), {"metric": "followers_count"}, "threads"),
    Defect("token_expired", "dyfed-powys", date(2026, 9, 7), date(2026, 9, 7), platform="threads"),
    Defect("text_number", "gwent", date(2026, 8, 31), date(2026, 9, 28), {"field": "likes"}, "threads"),
    Defect("followers_not_reported", "devon-and-cornwall", date(2026, 9, 1), date(2026, 9, 30), platform="threads"),
    Defect("server_error", "gwent", date(2026, 8, 17), date(2026, 8, 17), {"count": None, "endpoint": "snapshot"}, "threads"),
    Defect("duplicate_page", "gwent", date(2026, 9, 21), AS_OF, platform="threads"),
]


def account_rows(platform: str) -> list[dict[str, str]]:
    with (SEEDS / "accounts.csv").open(newline="", encoding="utf-8") as handle:
        return [row for row in csv.DictReader(handle) if row["platform"] == platform and row["force_id"] in FORCES]


def good(asking: Asking, path: str, row: dict[str, str], version: str, **parameters: Any) -> Any:
    answer = asking.get(path, row["force_id"], version=version, **parameters)
    return answer.json() if answer.status_code == 200 else {}


def run_instagram(asking: Asking, row: dict[str, str], now: datetime, seen: Seen) -> None:
    """Every number of the insights by itself, so that one refused name costs no other."""
    account = row["account_id"]
    followers = good(asking, account, row, "v26.0", fields="followers_count").get("followers_count")
    if isinstance(followers, int):
        seen.followers[account].append((now, followers))
    midnight = now.replace(hour=0) + timedelta(days=1)
    window = {"since": int((midnight - timedelta(days=30)).timestamp()), "until": int(midnight.timestamp())}
    body = good(asking, f"{account}/media", row, "v26.0", fields="id,timestamp", limit=9, **window)
    found: dict[str, dict[str, Any]] = {}
    while body:
        found |= {item["id"]: item for item in body["data"]}
        body = asking.follow(body["paging"]["next"]) if "next" in body.get("paging", {}) else None
    counts: dict[str, dict[str, int]] = {one: {} for one in found}
    for name in ("views", *ORGANIC):
        answer = good(asking, "", row, "v26.0", ids=",".join(found), fields=f"insights.metric({name})") if found else {}
        for one, node in answer.items():
            counts[one] |= {entry["name"]: entry["values"][0]["value"] for entry in node["insights"]["data"]}
    for one, item in found.items():
        published = datetime.fromisoformat(item["timestamp"])
        seen.posts[one] = {"force": row["force_id"], "page": account, "published": published, "is_original": True}
        note(seen, one, now, counts[one].get("views"), [counts[one].get(name) for name in ORGANIC])


def run_x(asking: Asking, row: dict[str, str], now: datetime, seen: Seen) -> None:
    users = good(asking, "users/by", row, "2", usernames=row["handle"], **{"user.fields": "public_metrics"})
    for user in users.get("data", []):
        seen.followers[user["id"]].append((now, user["public_metrics"]["followers_count"]))
    start = now.replace(hour=0) + timedelta(days=1) - timedelta(days=30)
    fields = "created_at,public_metrics,referenced_tweets"
    asked = {"max_results": 20, "tweet.fields": fields, "start_time": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
    found: dict[str, dict[str, Any]] = {}
    token: dict[str, str] = {}
    while True:
        body = good(asking, f"users/{row['account_id']}/tweets", row, "2", **asked, **token)
        found |= {item["edit_history_tweet_ids"][0]: item for item in body.get("data", [])}
        if "next_token" not in body.get("meta", {}):
            break
        token = {"pagination_token": body["meta"]["next_token"]}
    for one, item in found.items():
        kinds = {reference["type"] for reference in item.get("referenced_tweets", [])}
        seen.posts[one] = {
            "force": row["force_id"],
            "page": row["account_id"],
            "published": datetime.fromisoformat(item["created_at"]),
            "is_original": not kinds & {"retweeted", "replied_to"},
        }
        counts = {name: value if isinstance(value, int) else None for name, value in item["public_metrics"].items()}
        parts = [counts[f"{name}_count"] for name in ("like", "reply", "retweet", "quote")]
        note(seen, one, now, counts["impression_count"], parts)


def run_bluesky(asking: Asking, row: dict[str, str], now: datetime, seen: Seen) -> None:
    did = row["account_id"]
    followers = good(asking, "app.bsky.actor.getProfile", row, "xrpc", actor=did).get("followersCount")
    if isinstance(followers, int) and followers >= 0:
        seen.followers[did].append((now, followers))
    start = now.replace(hour=0) + timedelta(days=1) - timedelta(days=30)
    cursor: dict[str, str] = {}
    while True:
        body = good(asking, "app.bsky.feed.getAuthorFeed", row, "xrpc", actor=did, limit=25, **cursor)
        for item in body.get("feed", []):
            post, is_repost = item["post"], "reason" in item
            one = item["reason"]["uri"] if is_repost else post["uri"]
            said = (post["indexedAt"], post["record"]["createdAt"])
            times = [item["reason"]["indexedAt"]] if is_repost else said
            published = min(datetime.fromisoformat(each).replace(microsecond=0) for each in times)
            if published < start:
                continue
            is_original = not is_repost and "reply" not in item
            seen.posts[one] = {"force": row["force_id"], "page": did, "published": published, "is_original": is_original}
            parts = [post[f"{name}Count"] for name in ("like", "reply", "repost", "quote")]
            note(seen, one, now, None, [part if isinstance(part, int) else None for part in parts])
        if "cursor" not in body or published < start:
            break
        cursor = {"cursor": body["cursor"]}


def run_mastodon(asking: Asking, row: dict[str, str], now: datetime, seen: Seen) -> None:
    account, (user, _, server) = row["account_id"], row["handle"].partition("@")
    followers = good(asking, "api/v1/accounts/lookup", row, server, acct=user).get("followers_count")
    if isinstance(followers, int):
        seen.followers[account].append((now, followers))
    start = now.replace(hour=0) + timedelta(days=1) - timedelta(days=30)
    oldest: dict[str, str] = {}
    while statuses := good(asking, f"api/v1/accounts/{account}/statuses", row, server, limit=20, **oldest):
        for item in statuses:
            published = datetime.fromisoformat(item["created_at"]).replace(microsecond=0)
            if published < start:
                continue
            is_original = item["reblog"] is None and item["in_reply_to_id"] is None
            one = f"{item['id']}@{server}"
            seen.posts[one] = {"force": row["force_id"], "page": account, "published": published, "is_original": is_original}
            parts = [item[f"{name}_count"] for name in ("favourites", "replies", "reblogs")]
            note(seen, one, now, None, [part if isinstance(part, int) else None for part in parts])
        if published < start:
            break
        oldest = {"max_id": statuses[-1]["id"]}


def run_youtube(asking: Asking, row: dict[str, str], now: datetime, seen: Seen) -> None:
    channel = row["account_id"]
    for item in good(asking, "channels", row, "youtube/v3", part="statistics", id=channel).get("items", []):
        if "subscriberCount" in item["statistics"]:
            seen.followers[channel].append((now, int(item["statistics"]["subscriberCount"])))
    start = now.replace(hour=0) + timedelta(days=1) - timedelta(days=30)
    ids: list[str] = []
    token: dict[str, str] = {}
    while True:
        asked = {"part": "contentDetails", "playlistId": f"UU{channel[2:]}", "maxResults": 7, **token}
        body = good(asking, "playlistItems", row, "youtube/v3", **asked)
        details = [item["contentDetails"] for item in body.get("items", [])]
        dated = [one for one in details if "videoPublishedAt" in one]
        ids += [one["videoId"] for one in dated if datetime.fromisoformat(one["videoPublishedAt"]) >= start]
        if "nextPageToken" not in body or any(datetime.fromisoformat(one["videoPublishedAt"]) < start for one in dated):
            break
        token = {"pageToken": body["nextPageToken"]}
    ids = list(dict.fromkeys(ids))
    asked = {"part": "snippet,statistics", "id": ",".join(ids)}
    for item in good(asking, "videos", row, "youtube/v3", **asked).get("items", []) if ids else []:
        published = datetime.fromisoformat(item["snippet"]["publishedAt"])
        seen.posts[item["id"]] = {"force": row["force_id"], "page": channel, "published": published, "is_original": True}
        counts = {name: int(value) if value.isdecimal() else None for name, value in item["statistics"].items()}
        note(seen, item["id"], now, counts["viewCount"], [counts.get("likeCount"), counts.get("commentCount")])


def run_threads(asking: Asking, row: dict[str, str], now: datetime, seen: Seen) -> None:
    account = row["account_id"]
    for entry in good(asking, f"{account}/threads_insights", row, "v1.0", metric="followers_count").get("data", []):
        seen.followers[account].append((now, entry["total_value"]["value"]))
    midnight = now.replace(hour=0) + timedelta(days=1)
    window = {"since": int((midnight - timedelta(days=30)).timestamp()), "until": int(midnight.timestamp())}
    body = good(asking, f"{account}/threads", row, "v1.0", fields="id,timestamp,media_type", limit=5, **window)
    found: dict[str, dict[str, Any]] = {}
    while body:
        found |= {item["id"]: item for item in body["data"]}
        body = asking.follow(body["paging"]["next"]) if "next" in body.get("paging", {}) else None
    for one, item in found.items():
        published, is_original = datetime.fromisoformat(item["timestamp"]), item["media_type"] != "REPOST_FACADE"
        seen.posts[one] = {"force": row["force_id"], "page": account, "published": published, "is_original": is_original}
        counts: dict[str, int | None] = {}
        for name in ("views", "likes", "replies", "reposts", "quotes", "shares"):
            for entry in good(asking, f"{one}/insights", row, "v1.0", metric=name).get("data", []):
                value = entry["values"][0]["value"]
                counts[name] = value if isinstance(value, int) else None
        parts = [counts.get(name) for name in ("likes", "replies", "reposts", "quotes", "shares")]
        note(seen, one, now, counts.get("views"), parts)


def note(seen: Seen, one: str, now: datetime, views: int | None, parts: list[int | None]) -> None:
    if views is not None:
        seen.numbers[one, "views"].append((now, views))
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        seen.numbers[one, "interactions"].append((now, sum(known)))


def recount(seen: Seen, platform: str) -> dict[tuple[str, date, str], float]:
    figures: dict[tuple[str, date, str], float] = {}
    for force in FORCES:
        for month in sorted({month_of(now) for now in WEEKLY}):
            end = min((month + timedelta(days=31)).replace(day=1) - timedelta(days=1), AS_OF)
            stock: list[float] = []
            for row in account_rows(platform):
                if row["force_id"] == force and is_open(row, end):
                    snapshots = seen.followers[row["account_id"]]
                    known = [n for now, n in snapshots if month <= now.astimezone(LONDON).date() <= end]
                    stock.append(known[-1] if known else np.nan)
            figures[force, month, "followers_end"] = sum(stock)
            ids = [
                one
                for one, post in seen.posts.items()
                if post["force"] == force and post["is_original"] and month_of(post["published"]) == month
            ]
            figures[force, month, "posts_published"] = len(ids)
            for metric in ("interactions", "views"):
                values = [value for one in ids if (value := read(seen, one, metric, WEEKLY[-1])) is not None]
                is_served = metric != "views" or platform not in WITHOUT_VIEWS
                figures[force, month, metric] = sum(values) if values or (not ids and is_served) else np.nan
            pairs = []
            for one in ids:
                value = read(seen, one, "interactions", WEEKLY[-1])
                before = [n for now, n in seen.followers[seen.posts[one]["page"]] if now <= seen.posts[one]["published"]]
                if value is not None and before:
                    pairs.append((value, before[-1]))
            rate = sum(a for a, _ in pairs) / sum(b for _, b in pairs) if pairs else np.nan
            figures[force, month, "engagement_rate_by_followers"] = rate
    return figures


RUNS = {
    "instagram": run_instagram,
    "x": run_x,
    "bluesky": run_bluesky,
    "mastodon": run_mastodon,
    "youtube": run_youtube,
    "threads": run_threads,
}


@pytest.mark.parametrize(
    ("platform", "defects"),
    [
        pytest.param("instagram", [], id="instagram"),
        pytest.param("instagram", INSTAGRAM_DEFECTS, id="instagram with defects"),
        pytest.param("x", [], id="x"),
        pytest.param("x", X_DEFECTS, id="x with defects"),
        pytest.param("bluesky", [], id="bluesky"),
        pytest.param("bluesky", BLUESKY_DEFECTS, id="bluesky with defects"),
        pytest.param("mastodon", [], id="mastodon"),
        pytest.param("mastodon", MASTODON_DEFECTS, id="mastodon with defects"),
        pytest.param("youtube", [], id="youtube"),
        pytest.param("youtube", YOUTUBE_DEFECTS, id="youtube with defects"),
        pytest.param("threads", [], id="threads"),
        pytest.param("threads", THREADS_DEFECTS, id="threads with defects"),
    ],
)
def test_truth_equals_a_recount_through_the_api(platform: str, defects: list[Defect]) -> None:
    seen = Seen()
    with SimulatorProcess(SEED, forces=FORCES, defects=defects) as simulator:
        asking = Asking(simulator, platform)
        for now in WEEKLY:
            simulator.set_clock(now)
            for row in account_rows(platform):
                if is_open(row, now.astimezone(LONDON).date()):
                    RUNS[platform](asking, row, now, seen)
    figures = recount(seen, platform)
    truth = month_truth(platform, SEED, AS_OF, WEEKLY, defects, FORCES)
    assert set(truth["platform"]) == {platform}
    told = {(row.force_id, row.month, row.metric): row.value for row in truth.itertuples()}
    assert told.keys() == figures.keys()
    assert len(told) == 3 * 4 * 5
    for key, value in figures.items():
        assert np.array_equal(told[key], value, equal_nan=True), key
    assert set(post_truth(SEED, AS_OF, WEEKLY, defects, FORCES, platform=platform)["post_id"]) == set(seen.posts)


def by_key(frame: pd.DataFrame) -> pd.Series:
    return frame.set_index(["force_id", "month", "metric"])["value"]


def test_defects_leave_their_mark_and_edits_do_not() -> None:
    clean, spoilt = (by_key(month_truth("x", SEED, AS_OF, WEEKLY, defects, FORCES)) for defects in ((), X_DEFECTS))
    assert clean.loc[:, :, "posts_published"].equals(spoilt.loc[:, :, "posts_published"])
    august = ("dyfed-powys", date(2026, 8, 1), "interactions")
    assert spoilt[august] < clean[august]
    edits = [defect for defect in X_DEFECTS if defect.kind == "edited_post"]
    assert by_key(month_truth("x", SEED, AS_OF, WEEKLY, edits, FORCES)).equals(clean)
    clean, spoilt = (by_key(month_truth("instagram", SEED, AS_OF, WEEKLY, defects, FORCES)) for defects in ((), INSTAGRAM_DEFECTS))
    assert np.isnan(spoilt["gwent", date(2026, 9, 1), "followers_end"])
    assert not clean.loc[:, :, "followers_end"].isna().any()
    hidden = [defect for defect in INSTAGRAM_DEFECTS if defect.kind == "hidden_likes"]
    assert by_key(month_truth("instagram", SEED, AS_OF, WEEKLY, hidden, FORCES)).equals(clean)


def test_retweets_and_replies_are_no_posts_of_ones_own() -> None:
    posts = post_truth(SEED, AS_OF, WEEKLY, forces=FORCES, platform="x")
    assert 0.5 < posts["is_original"].mean() < 0.7
    assert posts["views_paid"].isna().all()
    retweets = posts[~posts["is_original"] & (posts["views"] == 0) & (posts["reposts"] > 0)]
    assert len(retweets) > 20
    months = by_key(month_truth("x", SEED, AS_OF, WEEKLY, forces=FORCES)).loc[:, :, "posts_published"]
    assert months.sum() == posts[posts["published_month"] >= date(2026, 8, 1)]["is_original"].sum() > 300
