"""What is kept in memory of a trigger that is over."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import anyio
import pytest

from help.callers import memory_journal
from help.steps import stepping, trigger
from quantinal_mcp.errors import InsufficientQuants, InvalidResponse, OutcomeUnknown, Rejected
from quantinal_mcp.runs.sending import Flight
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "code": 402, "body": '{"detail": "No"}'}, InsufficientQuants),
        ({"kind": "half"}, OutcomeUnknown),
    ],
    ids=["refused", "lost"],
)
async def test_how_a_trigger_ended_is_kept_without_what_was_sent(fault: dict[str, Any], error: type[Exception]) -> None:
    class Notes(dict[str, Any]):
        """A context that can be referred to weakly."""

    sandbox = Sandbox(listing_delay=1e6)
    sandbox.faults.add(Fault("POST", r"/runs$", **fault))
    async with stepping(sandbox, memory_journal()) as account:
        context = Notes(note="as large as it may be")
        kept = weakref.ref(context)
        with pytest.raises(error):
            await trigger(account, context=context)
        del context
        gc.collect()
        assert kept() is None


@pytest.mark.parametrize("make", [Rejected, InvalidResponse])
def test_an_error_that_is_kept_holds_no_more_of_its_body_than_says_what_it_is(
    make: type[Rejected | InvalidResponse],
) -> None:
    echoed: dict[str, Any] = {"detail": [{"msg": "bad", "input": "x" * 1000}], "odd": "x" * 1000}
    kept = make("It is bad.", "Mend it.", body=echoed).as_kept()
    assert (str(kept), kept.body) == (f"[{make.code}] It is bad. Mend it.", {"detail": "It is bad."})
    lost = OutcomeUnknown("It was lost.", lost=make("It is bad.", body=echoed)).as_kept()
    assert (lost.lost, lost.body) == (None, {"detail": "It was lost."})


async def test_what_a_trigger_was_answered_is_let_go_of_at_once() -> None:
    async with stepping(Sandbox(), memory_journal()) as account:
        await trigger(account)
        gc.collect()
        gc.disable()
        try:
            await trigger(account, again=True)
            await anyio.sleep(30)
            assert not [held for held in gc.get_objects() if isinstance(held, Flight)]
        finally:
            gc.enable()
