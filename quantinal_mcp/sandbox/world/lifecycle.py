"""How a run begins: what it costs, how long it takes, how it ends and who is told."""

import random
from datetime import datetime, timedelta
from typing import Any, cast

from quantinal_mcp.sandbox.stories.narrative import tell
from quantinal_mcp.sandbox.world.account import Account
from quantinal_mcp.sandbox.world.catalogue import base_costs
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.ids import make_uuid
from quantinal_mcp.sandbox.world.options import Options
from quantinal_mcp.sandbox.world.records import Json, Run, Tracker
from quantinal_mcp.sandbox.world.service import Service

FAILURE = "Agent run failed: the upstream data provider did not answer in time"


def run_cost(agent_config: Json, service: Service) -> float:
    """What a run really costs: the documented formula, a fixed part and a part per linked tracker."""
    prices = base_costs()
    skills = sum(prices[skill] for skill in agent_config["skills"])
    links = service.link_cost * len(agent_config["linked_trackers"])
    return round(skills * service.multipliers[agent_config["reasoning_mode"]] + 0.008 + links, 6)


def nominal_seconds(mode: str, service: Service, rng: random.Random) -> float:
    """How long a run takes before time is scaled."""
    return rng.uniform(*service.seconds[mode])


def begin(
    account: Account,
    tracker: Tracker,
    now: datetime,
    options: Options,
    *,
    sync: bool,
    context: Json | None = None,
    trigger_type: str = "manual",
    origin: str = "api",
) -> Run:
    """Charge the account (402 if it cannot pay) and begin a run."""
    cost = run_cost(tracker.agent_config, options.service)
    account.charge(cost)
    steer = _steering(context)
    rng = random.Random(f"{options.seed}:{account.index}:{tracker.tracker_id}:{account.runs_begun}")  # noqa: S311 - it must repeat
    seconds = steer.get("seconds")
    if seconds is None:
        nominal = nominal_seconds(tracker.agent_config["reasoning_mode"], options.service, rng)
        seconds = nominal / options.time_scale
    started = now + timedelta(seconds=options.pending_seconds)
    ends = started + timedelta(seconds=seconds)
    # One run in forty fails, so that clients meet a failure now and then.
    failed = steer.get("fail", account.runs_begun % 40 == 0)
    result = None
    if not failed:
        age_days = (options.start - now) / timedelta(days=1)
        previous = _last_score(tracker)
        score = steer.get("score")
        if score is None:
            score = max(2, min(98, (rng.randint(35, 75) if previous is None else previous) + rng.randint(-5, 5)))
        result = tell(tracker.voice, round(score), previous, age_days, rng)
    run = Run(
        run_id=account.new_id("run_"),
        tracker_id=tracker.tracker_id,
        space_id=tracker.space_id,
        created_at=now,
        started_at=started,
        ends_at=ends,
        cost=cost,
        snapshot=snapshot(tracker, trigger_type, sync=sync),
        result=result,
        error_message=FAILURE if failed else None,
        delivery=deliver(tracker, result, ends, account.index),
        origin=origin,
        listed_at=now + timedelta(seconds=options.listing_delay),
        context=context,
    )
    tracker.runs[run.run_id] = run
    return run


def snapshot(tracker: Tracker, trigger_type: str, *, sync: bool) -> Json:
    """The configuration a run ran with."""
    return {"agent_config": tracker.agent_config, "trigger_type": trigger_type, "sync": sync}


def deliver(tracker: Tracker, result: Json | None, at: datetime, account_index: int, *, fails: bool = False) -> Json:
    """Who is told of a result: the channels that are enabled, if the score is at or below the threshold."""
    config = tracker.settings["notification_config"]
    if not config or result is None or result["score"] > config["score_threshold"]:
        return {"email": None, "webhook": None}
    key = (tracker.tracker_id, stamp(at))
    sent = None if fails else stamp(at)
    base = {"status": "failed" if fails else "sent", "sent_at": sent, "attempts": 3 if fails else 1}
    message = None if fails else f"0100{make_uuid(*key)}-000000"
    email = base | {"recipient": f"user{account_index or ''}@example.com", "message_id": message}
    return {
        "email": email if config["email_enabled"] else None,
        "webhook": base if config["webhook_enabled"] else None,
    }


def _last_score(tracker: Tracker) -> int | None:
    scored = [run for run in tracker.runs.values() if run.result]
    newest = max(scored, key=lambda run: run.created_at, default=None)
    return newest.result["score"] if newest and newest.result else None


def _steering(context: Json | None) -> dict[str, Any]:
    """The usable part of `context={"sandbox": {"seconds": ..., "fail": ..., "score": ...}}`."""
    asked = (context or {}).get("sandbox")
    if not isinstance(asked, dict):
        return {}
    given = cast("Json", asked)
    steer: dict[str, Any] = {}
    for name, high in (("seconds", 86400), ("score", 100)):
        value = given.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= high:
            steer[name] = value
    if isinstance(given.get("fail"), bool):
        steer["fail"] = given["fail"]
    return steer
