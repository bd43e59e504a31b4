"""The sources. To add one: write its module, add it to SOURCES (docs/add-a-source.md)."""

from __future__ import annotations

from extractors.base import Source
from extractors.bluesky import Bluesky
from extractors.facebook import FacebookPages
from extractors.fediverse import FediverseUsers
from extractors.inbox_contacts import InboxContacts
from extractors.instagram import Instagram
from extractors.mastodon import Mastodon
from extractors.signals_mastodon import MastodonActivity
from extractors.signals_wikimedia import WikimediaViews
from extractors.survey import Seeds, SurveyExports
from extractors.threads import Threads
from extractors.upload import Upload
from extractors.x import XPosts
from extractors.youtube import YouTubeChannels


def _pseudonym(value: str) -> str:
    from include.pseudonyms import pseudonym

    return pseudonym(value)


def _seeds() -> Seeds:
    from include.registry import current  # imported here: the registry imports extractors.base

    return current().tables


SOURCES: tuple[Source, ...] = (
    FacebookPages(pseudonym=_pseudonym),
    Instagram(pseudonym=_pseudonym),
    XPosts(pseudonym=_pseudonym),
    Bluesky(pseudonym=_pseudonym),
    YouTubeChannels(),
    Mastodon(),
    Threads(),
    SurveyExports(pseudonym=_pseudonym, seeds=_seeds),
    Upload("linkedin", "LinkedIn (uploads)", seeds=_seeds),
    Upload("tiktok", "TikTok (uploads)", seeds=_seeds),
    Upload("nextdoor", "Nextdoor (uploads)", seeds=_seeds),
    Upload("whatsapp", "WhatsApp channels (uploads)", seeds=_seeds),
    InboxContacts(pseudonym=_pseudonym, seeds=_seeds),
    FediverseUsers(),
    WikimediaViews(),
    MastodonActivity(),
)


def source(name: str) -> Source:
    """The source of that name. KeyError names the known ones."""
    for candidate in SOURCES:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no source {name!r}: known are {', '.join(each.name for each in SOURCES)}")
