"""Builds the data an account starts with."""

import random
from bisect import bisect_right
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from quantinal_mcp.sandbox.stories.brand_plots import BRAND, BRAND_PLOTS, RADAR
from quantinal_mcp.sandbox.stories.market_plots import MARKET, MARKET_PLOTS
from quantinal_mcp.sandbox.stories.narrative import tell
from quantinal_mcp.sandbox.stories.plot import Plot, Sample, SpacePlot
from quantinal_mcp.sandbox.world.account import Account, own_settings
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.ids import make_uuid
from quantinal_mcp.sandbox.world.lifecycle import FAILURE, deliver, nominal_seconds, run_cost, snapshot
from quantinal_mcp.sandbox.world.options import Options
from quantinal_mcp.sandbox.world.records import Item, Json, Run, Source, Space, Tracker, Vault


def seeded_account(options: Options, index: int) -> Account:
    """The account of the token with that index, as it is at the sandbox's start."""
    starred = frozenset({_id(options, index, "trk_", "starred")})
    account = Account(options.seed, index, options.balance, starred)
    for place in (MARKET, BRAND, RADAR):
        space = _space(place, options, index)
        account.spaces[space.space_id] = space
    for plot in MARKET_PLOTS + BRAND_PLOTS:
        if plot.reasoning_mode not in options.service.multipliers:
            continue
        tracker = _tracker(plot, options, index)
        cost = run_cost(tracker.agent_config, options.service)
        as_it_was = replace(tracker, settings=dict(tracker.settings))
        tracker.history = partial(_runs, as_it_was, cost, plot, options, index)
        account.trackers[tracker.tracker_id] = tracker
    return account


def _id(options: Options, index: int, prefix: str, *key: object, canonical: str | None = None) -> str:
    if canonical is not None and index == 0:
        return canonical
    return prefix + make_uuid(options.seed, index, prefix, *key)


def _space(place: SpacePlot, options: Options, index: int) -> Space:
    def ago(days: float) -> datetime:
        return options.start - timedelta(days=days)

    return Space(
        space_id=_id(options, index, "spc_", place.key, canonical=place.space_id),
        name=place.name,
        description=place.description,
        category=place.category,
        created_at=ago(place.days_ago),
        updated_at=None if place.updated_days_ago is None else ago(place.updated_days_ago),
        plan=place.plan,
    )


def _tracker(plot: Plot, options: Options, index: int) -> Tracker:
    place = {"market": MARKET, "brand": BRAND, "radar": RADAR}[plot.space]
    by_key = {other.key: other for other in MARKET_PLOTS + BRAND_PLOTS}

    def tracker_id(key: str) -> str:
        return _id(options, index, "trk_", key, canonical=by_key[key].tracker_id)

    own_id = tracker_id(plot.key)
    created = options.start - timedelta(days=(plot.course[0][0] if plot.course else 3) + 1)
    notifications = None
    if plot.threshold is not None:
        notifications = {
            "score_threshold": plot.threshold,
            "email_enabled": plot.email,
            "webhook_enabled": plot.webhook,
        }
    schedule = None
    if plot.interval_minutes is not None:
        schedule = {
            "start_time": stamp(created),
            "interval_minutes": plot.interval_minutes,
            "end_time": None,
        }
    config: Json = {
        "instruction": plot.instruction,
        "score_meaning": plot.score_meaning,
        "skills": list(plot.skills),
        "reasoning_mode": plot.reasoning_mode,
        "linked_trackers": [tracker_id(key) for key in plot.linked],
    }
    return Tracker(
        tracker_id=own_id,
        space_id=_id(options, index, "spc_", place.key, canonical=place.space_id),
        category=place.category,
        settings=own_settings(
            name=plot.name,
            description=plot.description,
            run_mode="scheduled" if schedule else "manual",
            schedule=schedule,
            shared_vault_tracker_id=tracker_id(plot.shares_vault_of) if plot.shares_vault_of else None,
            agent_config=config,
            notification_config=notifications,
        ),
        created_at=created,
        updated_at=created,
        vault=_vault(own_id, created, plot.sources, options, index),
        voice=plot.voice,
    )


def _vault(tracker_id: str, created: datetime, samples: tuple[Sample, ...], options: Options, index: int) -> Vault:
    vault = Vault(tracker_id.replace("trk_", "vlt_"), created, created)
    for sample in samples:
        at = options.start - timedelta(days=sample.days_ago)
        source_id = _id(options, index, "", "source", sample.name, canonical=sample.source_id)
        kind = "json" if sample.source_type in ("JSON", "CSV") else "text"
        source = Source(source_id, sample.name, sample.description, sample.source_type, at, at)
        source.items = [
            Item(_id(options, index, "", source_id, number), row, kind, at) for number, row in enumerate(sample.rows)
        ]
        source.size_bytes = sum(len(row.encode()) for row in sample.rows)
        vault.sources[source_id] = source
        vault.updated_at = max(vault.updated_at, at)
    return vault


def _runs(tracker: Tracker, cost: float, plot: Plot, options: Options, index: int) -> dict[str, Run]:
    rng = random.Random(f"{options.seed}:{index}:{plot.key}")  # noqa: S311 - it must repeat
    scheduled = plot.interval_minutes is not None
    config = snapshot(tracker, "scheduled" if scheduled else "manual", sync=False)
    previous: int | None = None
    runs: dict[str, Run] = {}
    for number in range(plot.runs):
        oldest, newest = plot.course[0][0], plot.course[-1][0]
        newest_one = number == plot.runs - 1
        gap = (oldest - newest) / max(plot.runs - 1, 1)
        days_ago = oldest - gap * number
        if not scheduled and number > 0 and not newest_one:
            days_ago += gap * rng.uniform(-0.4, 0.4)
        created = options.start - timedelta(days=days_ago)
        started = created + timedelta(seconds=options.pending_seconds)
        seconds = nominal_seconds(plot.reasoning_mode, options.service, rng) / options.time_scale
        ends = started + timedelta(seconds=seconds)
        failed = number in plot.failed_runs
        result = None
        if not failed:
            score = round(_course_at(plot.course, days_ago)) + rng.randint(-plot.noise, plot.noise)
            if newest_one and plot.newest_score is not None:
                score = plot.newest_score
            score = max(1, min(99, score))
            result = tell(tracker.voice, score, previous, days_ago, rng)
            previous = score
        canonical = plot.newest_run_id if newest_one else None
        run = Run(
            run_id=_id(options, index, "run_", plot.key, number, canonical=canonical),
            tracker_id=tracker.tracker_id,
            space_id=tracker.space_id,
            created_at=created,
            started_at=started,
            ends_at=ends,
            cost=cost,
            snapshot=config,
            result=result,
            error_message=FAILURE if failed else None,
            delivery=deliver(tracker, result, ends, index, fails=number in plot.undelivered),
            origin="history",
            listed_at=created,
        )
        runs[run.run_id] = run
    return runs


def _course_at(course: tuple[tuple[float, float], ...], days_ago: float) -> float:
    """The score on the line between the two points around that day."""
    after = bisect_right(course, -days_ago, key=lambda point: -point[0])
    if after == 0 or after == len(course):
        return course[min(after, len(course) - 1)][1]
    (left, start), (right, end) = course[after - 1], course[after]
    return start + (end - start) * (left - days_ago) / (left - right)
