"""The endpoints that trigger, list, read, annotate and delete runs."""

from typing import Any

import anyio

from quantinal_mcp.sandbox.endpoints.call import Answer, Call, Endpoint, done
from quantinal_mcp.sandbox.endpoints.checks import boolean, choice, mapping, moment, number_text, text
from quantinal_mcp.sandbox.endpoints.paging import paginate
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.errors import ApiError, bad_request
from quantinal_mcp.sandbox.world.ids import make_uuid
from quantinal_mcp.sandbox.world.lifecycle import begin
from quantinal_mcp.sandbox.world.records import Json, Run


async def trigger_run(call: Call) -> Any:
    """POST /api/trackers/{tracker_id}/runs."""
    tracker = call.account.tracker(call.path["tracker_id"])
    body = call.body(optional=True)
    sync = body.take("sync", boolean, default=False)
    context = body.take("context", mapping, nullable=True)
    body.done()
    mode = tracker.agent_config["reasoning_mode"]
    if sync and mode in call.options.service.async_only:
        raise bad_request(f"Reasoning mode '{mode}' runs asynchronously only; trigger it with sync=false")
    run = begin(call.account, tracker, call.now, call.options, sync=sync, context=context)
    if sync and not call.detached:
        return await _wait(call, run)
    pending = {
        "run_id": run.run_id,
        "tracker_id": run.tracker_id,
        "status": "pending",
        "created_at": stamp(run.created_at),
    }
    return Answer(202, pending)


async def _wait(call: Call, run: Run) -> Json:
    limit = call.options.sync_limit
    waited = 0.0
    while (left := (run.ends_at - call.now).total_seconds()) > 0:
        if waited >= limit:
            raise ApiError(
                504,
                "Timed out waiting for the runner. The run may still complete in the background.",
                error_code="RUNNER_SYNC_TIMEOUT",
            )
        step = min(left, limit - waited)
        await anyio.sleep(step)
        waited += step
    view = run.view(call.now)
    kept = ("run_id", "tracker_id", "status", "started_at", "completed_at")
    seconds = (run.ends_at - run.started_at).total_seconds()
    return {
        **{name: view[name] for name in kept},
        "execution_time_seconds": round(seconds, 1),
        "result": run.result,
        "error_message": run.error_message,
    }


async def list_runs(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}/runs."""
    tracker, now = call.account.tracker(call.path["tracker_id"]), call.now
    query = call.query()
    status = query.take("status", choice("pending", "running", "completed", "failed"))
    notified = query.take("notification_status", choice("success", "failed", "skipped"))
    after = query.take("start_date", moment)
    before = query.take("end_date", moment)
    low = query.take("min_score", number_text(0, 100))
    high = query.take("max_score", number_text(0, 100))

    def wanted(run: Run) -> bool:
        started = run.started_at if run.started_at <= now else None
        score = run.score(now)
        return (
            run.listed_at <= now
            and status in (None, run.status(now))
            and notified in (None, run.notification(now))
            and (after is None or (started is not None and started >= after))
            and (before is None or (started is not None and started <= before))
            and (low is None or (score is not None and score >= low))
            and (high is None or (score is not None and score <= high))
        )

    def rows() -> list[Run]:
        return sorted(filter(wanted, tracker.runs.values()), key=lambda run: run.created_at, reverse=True)

    def shuffled() -> list[Run]:
        return sorted(rows(), key=lambda run: make_uuid(call.options.seed, run.run_id))

    page = paginate(query, shuffled if call.options.shuffle_lists else rows)
    return page | {"data": [run.view(now) for run in page["data"]]}


async def get_run(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}/runs/{run_id}."""
    return call.account.run(call.path["tracker_id"], call.path["run_id"]).view(call.now)


async def update_comment(call: Call) -> Any:
    """PATCH /api/trackers/{tracker_id}/runs/{run_id}: null or empty text clears the comment."""
    run = call.account.run(call.path["tracker_id"], call.path["run_id"])
    body = call.body()
    comment = body.take("comment", text(0, 1000), required=True, nullable=True)
    body.done()
    run.comment = {
        "run_comment": comment or None,
        "run_comment_updated_at": stamp(call.now),
        "run_comment_updated_by": f"usr_{123 + call.account.index}",
    }
    view = run.view(call.now)
    del view["notification_delivery"]
    return view


async def delete_run(call: Call) -> Any:
    """DELETE /api/trackers/{tracker_id}/runs/{run_id}."""
    run = call.account.run(call.path["tracker_id"], call.path["run_id"])
    del call.account.trackers[run.tracker_id].runs[run.run_id]
    return done("Run deleted successfully")


ENDPOINTS = (
    Endpoint("POST", "/api/trackers/{tracker_id}/runs", trigger_run),
    Endpoint("GET", "/api/trackers/{tracker_id}/runs", list_runs),
    Endpoint("GET", "/api/trackers/{tracker_id}/runs/{run_id}", get_run),
    Endpoint("PATCH", "/api/trackers/{tracker_id}/runs/{run_id}", update_comment),
    Endpoint("DELETE", "/api/trackers/{tracker_id}/runs/{run_id}", delete_run),
)
