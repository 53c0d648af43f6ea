"""What the API documents promise of each answer that can be read without cost: data, and nothing else.

Written down from the endpoint pages field by field. It is shared with neither the client's models, which forgive, nor
the sandbox, so that a mistake in one of them shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["text", "integer", "number", "boolean", "time", "object", "list", "anything"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a value is promised to be.

    `nullable` and `optional` where the documents show it as null, or leave it out. `words` are the values of a
    documented enumeration; `prefix` says that it is an id: the prefix and a UUID. `low` and `high` are inclusive.
    """

    kind: Kind
    nullable: bool = False
    optional: bool = False
    words: tuple[str, ...] = ()
    prefix: str | None = None
    low: float | None = None
    high: float = math.inf
    fields: Mapping[str, Promise] = field(default_factory=dict[str, "Promise"])
    item: Promise | None = None


TEXT = Promise(kind="text")
INTEGER = Promise(kind="integer", low=0)
NUMBER = Promise(kind="number")
AMOUNT = Promise(kind="number", low=0)
BOOLEAN = Promise(kind="boolean")
TIME = Promise(kind="time")
ANYTHING = Promise(kind="anything")
SCORE = Promise(kind="number", low=0, high=100)


def _id(prefix: str) -> Promise:
    return Promise(kind="text", prefix=prefix)


def _word(*words: str) -> Promise:
    return Promise(kind="text", words=words)


def _shape(**fields: Promise) -> Promise:
    return Promise(kind="object", fields=fields)


def _many(item: Promise) -> Promise:
    return Promise(kind="list", item=item)


def _or_null(promise: Promise) -> Promise:
    return replace(promise, nullable=True)


def _maybe(promise: Promise) -> Promise:
    return replace(promise, nullable=True, optional=True)


PAGINATION = _shape(page=INTEGER, page_size=INTEGER, total_items=INTEGER, total_pages=INTEGER)
PAGE = _shape(data=_many(Promise(kind="object")), pagination=PAGINATION)

LISTED_SPACE = _shape(
    space_id=_id("spc_"),
    name=TEXT,
    description=TEXT,
    category=TEXT,
    capacity_gb=AMOUNT,
    throughput_per_hour=AMOUNT,
    used_gb=AMOUNT,
    monthly_cost=AMOUNT,
    storage_cost=AMOUNT,
    throughput_cost=AMOUNT,
    rate_limit_per_hour=AMOUNT,
    tracker_count=INTEGER,
    source_count=INTEGER,
    result_count=INTEGER,
    created_at=TIME,
    updated_at=_or_null(TIME),
)
SPACE = replace(LISTED_SPACE, fields={**LISTED_SPACE.fields, "is_active": BOOLEAN})

AGENT_CONFIG = _shape(
    instruction=TEXT,
    score_meaning=TEXT,
    skills=_many(TEXT),
    reasoning_mode=_word("basic", "advanced", "super"),
    linked_trackers=_many(_id("trk_")),
)
TRACKER = _shape(
    tracker_id=_id("trk_"),
    space_id=_id("spc_"),
    name=TEXT,
    description=TEXT,
    run_mode=_word("manual", "scheduled"),
    schedule=_or_null(
        _shape(
            start_time=TIME,
            interval_minutes=Promise(kind="integer", low=1, high=44640),
            end_time=_maybe(TIME),
        )
    ),
    shared_vault_tracker_id=_or_null(_id("trk_")),
    vault_ttl_days=_or_null(Promise(kind="integer", low=1, high=365)),
    agent_config=AGENT_CONFIG,
    notification_config=_or_null(_shape(score_threshold=SCORE, email_enabled=BOOLEAN, webhook_enabled=BOOLEAN)),
    category=TEXT,
    visibility=TEXT,
    last_run_at=_or_null(TIME),
    created_at=TIME,
    updated_at=TIME,
)

COMPLETED_RUN = _shape(
    run_id=_id("run_"),
    tracker_id=_id("trk_"),
    space_id=_id("spc_"),
    status=_word("pending", "running", "completed", "failed"),
    started_at=TIME,
    completed_at=TIME,
    quants_used=AMOUNT,
    result=_shape(
        score=SCORE,
        insight=TEXT,
        baseline_score=replace(SCORE, optional=True),
        score_adjustment_factors=replace(
            _many(_shape(factor=TEXT, impact=NUMBER, probability=Promise(kind="number", low=0, high=1))), optional=True
        ),
    ),
    config_snapshot=_shape(agent_config=AGENT_CONFIG, trigger_type=_word("manual", "scheduled"), sync=BOOLEAN),
    notification_delivery=_shape(
        email=_or_null(
            _shape(
                status=TEXT,
                recipient=TEXT,
                sent_at=_or_null(TIME),
                message_id=_or_null(TEXT),
                attempts=INTEGER,
            )
        ),
        webhook=_or_null(Promise(kind="object")),
    ),
    error_message=_or_null(TEXT),
    run_comment=_maybe(TEXT),
    run_comment_updated_at=_maybe(TIME),
    run_comment_updated_by=_maybe(TEXT),
)
OTHER_RUN = replace(
    COMPLETED_RUN,
    fields={
        name: promise if name in {"run_id", "tracker_id", "status"} else _maybe(promise)
        for name, promise in COMPLETED_RUN.fields.items()
    },
)
"""One that is not completed: the documents show none, and it has no result yet, or never."""

VAULT = _shape(
    vault_id=_id("vlt_"),
    tracker_id=_id("trk_"),
    space_id=_id("spc_"),
    name=TEXT,
    description=_or_null(TEXT),
    total_sources=INTEGER,
    total_data_items=INTEGER,
    total_size_gb=AMOUNT,
    ttl_days=_or_null(INTEGER),
    created_at=TIME,
    updated_at=TIME,
)
RECENT = _shape(results=_many(Promise(kind="object")), total=INTEGER)
ITEM = _shape(
    data_id=_id(""),
    source_id=_id(""),
    content=TEXT,
    content_type=_word("text", "json"),
    token_count=INTEGER,
    created_at=TIME,
    metadata=ANYTHING,
    source_name=TEXT,
)
SOURCE = _shape(
    source_id=_id(""),
    name=TEXT,
    description=_or_null(TEXT),
    source_type=_word("JSON", "PDF", "CSV", "TXT", "MD"),
    size_bytes=INTEGER,
    data_count=INTEGER,
    status=TEXT,
    uploaded_at=TIME,
    updated_at=TIME,
)
SKILL = _shape(
    skill_id=TEXT,
    name=TEXT,
    description=TEXT,
    category=TEXT,
    base_cost_quants=AMOUNT,
    status=_word("active", "disabled"),
)
