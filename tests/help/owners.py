"""A machine of Hypothesis: owners of one journal that trigger, lose, find, settle and die, and what stays true."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from help.journals import ACCOUNT, TODAY, Clock, at, die, intent
from help.truth import Sent, Service, Wish
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.records import Intent, NotCovered, Snapshot
from quantinal_mcp.runs.matching import assign
from quantinal_mcp.runs.repeats import earlier

Result = TypeVar("Result")

TRACKERS = ("trk_one", "trk_two")
ANSWERS = ("yes 1", "yes 2", "yes 3")
IN_MEMORY = "/dev/shm"  # noqa: S108 - where syncing takes no time; only tests' own folders are made there


class Owners(RuleBasedStateMachine):
    """Processes that trigger, lose, find, repeat, settle and die."""

    most = 3

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(start_blocking_portal())
        self.clock = Clock()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if Path(IN_MEMORY).is_dir() else None))
        self.stack.callback(shutil.rmtree, self.folder)
        self.alive: list[Engine] = []
        self.sent: dict[str, Sent] = {}
        self.wishes: list[Wish] = []
        self.service = Service()
        self.spent: set[str] = set()
        self.charged: dict[str, float] = {}

    def make(self) -> Engine:
        return at(self.folder / "journal.db", self.clock)

    def do(self, work: Callable[[], Awaitable[Result]]) -> Result:
        return self.portal.call(work)

    def teardown(self) -> None:
        for journal in self.alive:
            self.do(journal.aclose)
        self.stack.close()

    # What happens

    @initialize()
    def first(self) -> None:
        self.alive.append(self.make())

    @precondition(lambda self: len(self.alive) < self.most)
    @rule()
    def start(self) -> None:
        self.alive.append(self.make())

    @precondition(lambda self: len(self.alive) > 1)
    @rule(data=st.data(), is_clean=st.booleans())
    def end(self, data: st.DataObject, is_clean: bool) -> None:
        journal = data.draw(st.sampled_from(self.alive))
        self.alive.remove(journal)
        self.wishes = [wish for wish in self.wishes if wish.journal is not journal]
        if is_clean:
            self.do(journal.aclose)
        else:
            self.do(partial(die, journal))

    @rule(seconds=st.sampled_from([1.0, 60.0, -5.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(data=st.data(), tracker_id=st.sampled_from(TRACKERS))
    def look_whether_it_repeats(self, data: st.DataObject, tracker_id: str) -> None:
        """The first half of a plain call: it takes an earlier trigger over, or wishes to begin one."""
        journal = data.draw(st.sampled_from(self.alive))
        records = self.do(partial(journal.of, ACCOUNT, tracker_id))
        found = earlier(records, self.clock.now, {})
        if found is None:
            self.wishes.append(Wish(journal, tracker_id, frozenset(one.intent_id for one in records)))
        elif found.is_open:
            self.take(journal, found.intent_id)

    @precondition(lambda self: self.wishes)
    @rule(data=st.data(), reserved=st.sampled_from([0.05, 0.2, 0.5]), sync=st.booleans())
    def begin(self, data: st.DataObject, reserved: float, sync: bool) -> None:
        """The second half, with anything between."""
        wish = data.draw(st.sampled_from(self.wishes))
        self.wishes.remove(wish)
        self.begun(wish.journal, wish.tracker_id, wish.seen, reserved, sync=sync)

    @rule(data=st.data(), tracker_id=st.sampled_from(TRACKERS), sync=st.booleans())
    def begin_another(self, data: st.DataObject, tracker_id: str, sync: bool) -> None:
        self.begun(data.draw(st.sampled_from(self.alive)), tracker_id, None, 0.1, sync=sync)

    def begun(
        self, journal: Engine, tracker_id: str, seen: frozenset[str] | None, reserved: float, *, sync: bool
    ) -> None:
        before = Snapshot.of(run["run_id"] for run in self.service.listed(tracker_id))
        record = intent(journal, tracker_id=tracker_id, sync=sync, reserved=reserved, before=before)
        left = TODAY.limit - self.counted()
        unseen = [one for one in self.standing(tracker_id) if seen is not None and one not in seen]
        if not unseen and reserved > left + 1e-9:
            with pytest.raises(NotCovered) as refused:
                self.do(partial(journal.begin, record, seen, TODAY))
            assert refused.value.left == pytest.approx(max(0.0, left))
            return
        given = self.do(partial(journal.begin, record, seen, TODAY))
        assert (given is None) is bool(unseen)
        if given is not None:
            assert given == pytest.approx(left - reserved)
            self.sent[record.intent_id] = Sent(record, journal)

    def standing(self, tracker_id: str) -> list[str]:
        """What was begun on a tracker and not refused."""
        records = self.do(partial(self.alive[0].of, ACCOUNT, tracker_id))
        return [one.intent_id for one in records]

    def of_live_senders(self, *, posted: bool) -> list[Sent]:
        senders = {journal.worker for journal in self.alive}
        return [one for one in self.sent.values() if one.record.sender in senders and one.is_posted is posted]

    @precondition(lambda self: self.of_live_senders(posted=False))
    @rule(data=st.data(), ends=st.sampled_from(["answered", "refused", "lost", "lost unexecuted", "unanswered"]))
    def post(self, data: st.DataObject, ends: str) -> None:
        """The POST, and how it ends; `unanswered` is a process that dies before it can say."""
        one = data.draw(st.sampled_from(self.of_live_senders(posted=False)))
        one.is_posted = True
        intent_id = one.record.intent_id
        journal = next(journal for journal in self.alive if journal.worker == one.record.sender)
        if ends not in {"refused", "lost unexecuted"}:
            one.run_id = self.service.begin(one.record.tracker_id, sync=one.record.sync)
        if ends == "answered":
            assert one.run_id is not None
            assert self.do(partial(journal.claim, intent_id, one.run_id, "certain"))
        elif ends == "refused":
            assert self.do(partial(journal.move, intent_id, state="refused", owner=None))
            one.is_over = True
            if one.owner is journal:
                one.owner = None
        elif ends.startswith("lost") or self.most == 1:
            self.do(partial(journal.move, intent_id, state="lost"))
        else:
            self.alive.remove(journal)
            self.wishes = [wish for wish in self.wishes if wish.journal is not journal]
            self.do(partial(die, journal))
            if not self.alive:
                self.alive.append(self.make())

    @precondition(lambda self: any(one.owner in self.alive for one in self.sent.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """The caller goes."""
        one = data.draw(st.sampled_from([one for one in self.sent.values() if one.owner in self.alive]))
        assert one.owner is not None
        self.do(partial(one.owner.move, one.record.intent_id, owner=None))
        one.owner = None

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def take_any(self, data: st.DataObject) -> None:
        self.take(data.draw(st.sampled_from(self.alive)), data.draw(st.sampled_from(list(self.sent))))

    def take(self, journal: Engine, intent_id: str) -> None:
        one = self.sent[intent_id]
        is_free = one.owner not in self.alive and not one.is_over
        assert self.do(partial(journal.take, intent_id)) is is_free
        if is_free:
            one.owner = journal

    @rule(data=st.data(), tracker_id=st.sampled_from(TRACKERS))
    def find(self, data: st.DataObject, tracker_id: str) -> None:
        """Look for the runs of lost triggers, as whoever takes one over does."""
        journal = data.draw(st.sampled_from(self.alive))
        records = self.do(partial(journal.of, ACCOUNT, tracker_id))
        lost = [one for one in records if one.is_lost]
        in_flight = [one for one in records if one.state == "sent"]
        claimed = {one.run_id for one in records if one.run_id is not None}
        for intent_id, run in assign(lost, in_flight, self.service.listed(tracker_id), claimed).items():
            assert self.do(partial(journal.claim, intent_id, run["run_id"], "likely"))

    @precondition(lambda self: any(one.owner in self.alive for one in self.sent.values()))
    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        """The owner tells its caller the run, or that there is none; told that twice, it is given up."""
        one = data.draw(st.sampled_from([one for one in self.sent.values() if one.owner in self.alive]))
        assert one.owner is not None
        journal, intent_id = one.owner, one.record.intent_id
        record = self.do(partial(journal.get, intent_id))
        assert record is not None
        if record.run_id is not None:
            self.do(partial(journal.move, intent_id, answered_at=self.clock.now, owner=None))
            one.is_over = True
        elif not record.is_lost:
            return
        elif one.is_unknown:
            assert self.do(partial(journal.move, intent_id, state="given_up", owner=None))
            one.is_over = True
        else:
            self.do(partial(journal.move, intent_id, unknown_at=self.clock.now, owner=None))
            one.is_unknown = True
        one.owner = None

    @precondition(lambda self: self.service.runs)
    @rule(data=st.data(), charged=st.sampled_from([0.0, 0.02, 0.3]))
    def settle(self, data: st.DataObject, charged: float) -> None:
        run = data.draw(st.sampled_from(self.service.runs))
        amount = self.charged.setdefault(run["run_id"], charged)
        self.do(partial(data.draw(st.sampled_from(self.alive)).settle, ACCOUNT, {run["run_id"]: (amount, True)}))

    @rule(data=st.data(), answer=st.sampled_from(ANSWERS))
    def spend(self, data: st.DataObject, answer: str) -> None:
        journal = data.draw(st.sampled_from(self.alive))
        assert self.do(partial(journal.spend, answer)) is (answer not in self.spent)
        self.spent.add(answer)

    # What is true all the time

    def records(self) -> list[Intent]:
        return self.do(partial(self.alive[0].intents, ACCOUNT, 0))

    def counted(self) -> float:
        """What the budget counts by the records, summed up without the journal's help."""
        return sum(
            one.charged if one.settled_at is not None and one.charged is not None else one.reserved
            for one in self.records()
            if one.state != "refused"
        )

    @precondition(lambda self: self.alive)
    @invariant()
    def everything_is_as_promised(self) -> None:
        records = {one.intent_id: one for one in self.records()}
        assert records.keys() == self.sent.keys()  # written down, whoever died
        runs = [one.run_id for one in records.values() if one.run_id is not None]
        assert len(runs) == len(set(runs))
        alive = {journal.worker for journal in self.alive}
        for intent_id, record in records.items():
            truth = self.sent[intent_id]
            assert record.owner == (truth.owner.worker if truth.owner in self.alive else None)
            assert record.sender == truth.record.sender
            assert (record.state == "sent") <= (record.sender in alive)
            assert record.is_open is not truth.is_over
            if record.match == "certain" and record.run_id is not None:
                assert record.run_id == truth.run_id
        counted = self.do(partial(self.alive[0].committed, ACCOUNT, TODAY))
        assert counted == pytest.approx(self.counted())
        beyond = sum(max(0.0, amount - 0.05) for amount in self.charged.values())
        assert counted <= TODAY.limit + beyond + 1e-9
