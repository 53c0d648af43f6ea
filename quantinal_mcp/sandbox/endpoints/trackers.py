"""The endpoints that create, list, read, change and delete trackers."""

from functools import partial
from typing import Any

from quantinal_mcp.sandbox.endpoints import tracker_fields as rules
from quantinal_mcp.sandbox.endpoints.call import Answer, Call, Endpoint, done
from quantinal_mcp.sandbox.endpoints.checks import Fields, text
from quantinal_mcp.sandbox.endpoints.paging import paginate
from quantinal_mcp.sandbox.stories.narrative import plain_voice
from quantinal_mcp.sandbox.world.account import own_settings
from quantinal_mcp.sandbox.world.errors import ApiError
from quantinal_mcp.sandbox.world.records import Json, Tracker, Vault
from quantinal_mcp.sandbox.world.service import Service


async def create_tracker(call: Call) -> Any:
    """POST /api/spaces/{space_id}/trackers."""
    account, service, now = call.account, call.options.service, call.now
    space = account.space(call.path["space_id"])
    body = call.body()
    settings = own_settings(
        name=body.take("name", rules.NAME, required=True),
        description=body.take("description", rules.DESCRIPTION, required=True),
        run_mode=body.take("run_mode", rules.RUN_MODE, required=True),
        agent_config=body.nested("agent_config", partial(rules.read_agent_config, service), required=True),
        schedule=body.nested("schedule", rules.read_schedule, nullable=True),
        notification_config=body.nested(
            "notification_config", partial(rules.read_notification_config, service), nullable=True
        ),
        shared_vault_tracker_id=body.take("shared_vault_tracker_id", text(1), nullable=True),
        vault_ttl_days=body.take("vault_ttl_days", rules.TTL_DAYS, nullable=True),
    )
    body.done()
    settings["schedule"] = rules.check_schedule(settings["schedule"])
    rules.check_run_mode(settings["run_mode"], settings["schedule"])
    rules.check_agent_config(account, service, space.space_id, settings["agent_config"], None)
    rules.check_vault_sharing(account, settings["shared_vault_tracker_id"], None)
    tracker_id = account.new_id("trk_")
    tracker = Tracker(
        tracker_id=tracker_id,
        space_id=space.space_id,
        category=space.category,
        settings=settings,
        created_at=now,
        updated_at=now,
        vault=Vault(tracker_id.replace("trk_", "vlt_"), now, now),
        voice=plain_voice(settings["name"], settings["agent_config"]["score_meaning"]),
    )
    account.trackers[tracker_id] = tracker
    return Answer(201, tracker.view(now, service))


async def list_trackers(call: Call) -> Any:
    """GET /api/trackers."""
    query = call.query()
    space_id = query.take("space_id", text(1), required=True)

    def rows() -> list[Json]:
        space = call.account.space(space_id)
        return [tracker.view(call.now, call.options.service) for tracker in call.account.in_space(space.space_id)]

    return paginate(query, rows)


async def get_tracker(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}."""
    return call.account.tracker(call.path["tracker_id"]).view(call.now, call.options.service)


async def update_tracker(call: Call) -> Any:
    """PATCH /api/trackers/{tracker_id}: null is an instruction, an absent field is none."""
    tracker, service = call.account.tracker(call.path["tracker_id"]), call.options.service
    body = call.body()
    changes = _changes(body, service)
    body.done()
    own_id = tracker.tracker_id
    if "schedule" in changes:
        changes["schedule"] = rules.check_schedule(changes["schedule"])
    settings = tracker.settings | changes
    rules.check_run_mode(settings["run_mode"], settings["schedule"])
    if "agent_config" in changes:
        rules.check_agent_config(call.account, service, tracker.space_id, changes["agent_config"], own_id)
    if "shared_vault_tracker_id" in changes:
        rules.check_vault_sharing(call.account, changes["shared_vault_tracker_id"], own_id)
    if changes:
        tracker.settings = settings
        tracker.updated_at = call.now
    return tracker.view(call.now, service)


def _changes(body: Fields, service: Service) -> Json:
    changes: Json = {}
    for name, check in (
        ("name", rules.NAME),
        ("description", rules.DESCRIPTION),
        ("run_mode", rules.RUN_MODE),
    ):
        if body.has(name):
            changes[name] = body.take(name, check)
    if body.has("shared_vault_tracker_id"):
        changes["shared_vault_tracker_id"] = body.take("shared_vault_tracker_id", text(1), nullable=True)
    if body.has("agent_config"):
        changes["agent_config"] = body.nested("agent_config", partial(rules.read_agent_config, service))
    if body.has("schedule"):
        changes["schedule"] = body.nested("schedule", rules.read_schedule, nullable=True)
    if body.has("notification_config"):
        changes["notification_config"] = body.nested(
            "notification_config", partial(rules.read_notification_config, service), nullable=True
        )
    return changes


async def delete_tracker(call: Call) -> Any:
    """DELETE /api/trackers/{tracker_id}: 409 while others share its vault."""
    tracker_id = call.account.tracker(call.path["tracker_id"]).tracker_id
    others = call.account.sharing_vault_of(tracker_id)
    if others:
        raise ApiError(
            409,
            f"Cannot delete tracker: its vault is shared by {len(others)} other tracker(s): {others}. "
            "They must set shared_vault_tracker_id to null first.",
        )
    del call.account.trackers[tracker_id]
    return done("Tracker deleted successfully")


ENDPOINTS = (
    Endpoint("POST", "/api/spaces/{space_id}/trackers", create_tracker),
    Endpoint("GET", "/api/trackers", list_trackers),
    Endpoint("GET", "/api/trackers/{tracker_id}", get_tracker),
    Endpoint("PATCH", "/api/trackers/{tracker_id}", update_tracker),
    Endpoint("DELETE", "/api/trackers/{tracker_id}", delete_tracker),
)
