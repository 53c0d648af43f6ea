"""What a tracker's configuration must look like, by itself and against the rest of the account."""

from datetime import datetime
from typing import Any

from quantinal_mcp.sandbox.endpoints.checks import Fields, boolean, choice, integer, list_of, moment, number, text
from quantinal_mcp.sandbox.world.account import Account
from quantinal_mcp.sandbox.world.catalogue import unusable_skills
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.errors import bad_request
from quantinal_mcp.sandbox.world.records import Json
from quantinal_mcp.sandbox.world.service import Service

RUN_MODE = choice("manual", "scheduled")
NAME = text(1, 50)
DESCRIPTION = text(1, 500)
TTL_DAYS = integer(1, 365)


def read_agent_config(service: Service, fields: Fields) -> Json:
    """agent_config, its optional fields filled with their defaults."""
    config = {
        "instruction": fields.take("instruction", text(1, 1000), required=True),
        "score_meaning": fields.take("score_meaning", text(1), required=True),
        "skills": fields.take("skills", list_of(text(1)), required=True),
        "reasoning_mode": fields.take("reasoning_mode", choice(*service.multipliers), default="basic"),
        "linked_trackers": fields.take("linked_trackers", list_of(text(1), high=10), default=[]),
    }
    return config | fields.others() if service.keeps_unknown_keys else config


def read_notification_config(service: Service, fields: Fields) -> Json:
    """notification_config, its fields filled with their defaults."""
    config = {
        "score_threshold": fields.take("score_threshold", number(0, 100), default=40),
        "email_enabled": fields.take("email_enabled", boolean, default=False),
        "webhook_enabled": fields.take("webhook_enabled", boolean, default=False),
    }
    return config | fields.others() if service.keeps_unknown_keys else config


def read_schedule(fields: Fields) -> Json:
    """schedule, its times still datetimes (see `check_schedule`)."""
    return {
        "start_time": fields.take("start_time", moment, required=True),
        "interval_minutes": fields.take("interval_minutes", integer(1, 44640), required=True),
        "end_time": fields.take("end_time", moment, nullable=True),
    }


def check_schedule(schedule: Json | None) -> Json | None:
    """The schedule as the API shows it; 400 if it ends before it starts."""
    if schedule is None:
        return None
    start: datetime = schedule["start_time"]
    end: datetime | None = schedule["end_time"]
    if end is not None and end <= start:
        raise bad_request("schedule.start_time must be before schedule.end_time")
    return schedule | {"start_time": stamp(start), "end_time": stamp(end) if end else None}


def check_run_mode(run_mode: str, schedule: Json | None) -> None:
    """400 if a scheduled tracker would be left without its schedule."""
    if run_mode == "scheduled" and schedule is None:
        raise bad_request("schedule is required when run_mode is 'scheduled'")


def check_agent_config(account: Account, service: Service, space_id: str, config: Json, own_id: str | None) -> None:
    """400 if it names skills or trackers that cannot be used."""
    wrong = unusable_skills(config["skills"])
    if wrong:
        raise bad_request(f"Unknown or disabled skill(s): {wrong}")
    for linked in config["linked_trackers"]:
        if linked == own_id:
            raise bad_request("A tracker cannot be linked to itself")
        if service.links_starred and linked in account.starred:
            continue
        other = account.trackers.get(linked)
        if other is None or other.space_id != space_id:
            raise bad_request(f"Linked tracker '{linked}' not found in this space")


def check_vault_sharing(account: Account, shared: Any, own_id: str | None) -> None:
    """400 if the vault to share is nobody's, or the tracker's own."""
    if shared is None:
        return
    if shared == own_id:
        raise bad_request("A tracker cannot share its own vault; set shared_vault_tracker_id to null")
    if shared not in account.trackers:
        raise bad_request(f"Shared vault tracker '{shared}' not found")
