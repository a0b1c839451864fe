"""The life of an id: each step from each stage, the table of calls, and the answers to a batch."""

from __future__ import annotations

import pytest

from farcall._protocol.messages import NULL_ID
from farcall._protocol.state import (
    TRANSITIONS,
    BatchAnswers,
    CallTable,
    IncomingCall,
    LocalProtocolError,
    OutgoingCall,
    Stage,
    Step,
)

LIFE = """
QUEUED    TAKE     OPEN
QUEUED    WITHDRAW ENDED
OPEN      START    STARTED
OPEN      ABANDON  ABANDONED
OPEN      END      ENDED
STARTED   ITEMS    STARTED
STARTED   ABANDON  ABANDONED
STARTED   END      ENDED
ABANDONED START    ABANDONED
ABANDONED ITEMS    ABANDONED
ABANDONED END      ENDED
"""


def test_the_table_is_the_one_of_the_protocol() -> None:
    """These steps there are, and no others."""
    rows = [line.split() for line in LIFE.strip().splitlines()]

    assert {(Stage[a], Step[step]): Stage[b] for a, step, b in rows} == TRANSITIONS


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("step", Step)
def test_a_call_takes_the_steps_of_the_table(stage: Stage, step: Step) -> None:
    """A step that the table knows moves a call on; any other is a defect of this side."""
    call = OutgoingCall(b"1", "add", stage)
    after = TRANSITIONS.get((stage, step))
    assert call.can(step) is (after is not None)

    if after is None:
        with pytest.raises(LocalProtocolError, match=f"{step.name} of add .* in {stage.name}"):
            call.move(step)
        after = stage
    else:
        call.move(step)

    assert call.stage is after


def test_nothing_leads_out_of_the_end() -> None:
    """A settled id stays settled."""
    assert not [step for stage, step in TRANSITIONS if stage is Stage.ENDED]


def test_a_call_of_this_side_waits_for_the_writer() -> None:
    """A new call has not been sent; once taken, its outcome is the peer's to know."""
    call = OutgoingCall(b"1", "add")
    assert not call.was_sent

    call.move(Step.TAKE)

    assert call.was_sent


def test_a_call_of_the_peer_is_open_at_once() -> None:
    """What the peer asked was sent by it."""
    assert IncomingCall(b"1", "add").stage is Stage.OPEN


def make_table(*ids: bytes) -> CallTable[IncomingCall]:
    table = CallTable[IncomingCall]()
    for id in ids:
        table.insert(IncomingCall(id, "add"))
    return table


def test_a_table_finds_calls_by_id() -> None:
    """A call in flight is found by its id, byte for byte."""
    table = make_table(b"1", b'"1"')

    assert len(table) == 2
    assert b"1" in table
    assert b"1.0" not in table
    assert table.get(b'"1"') in list(table)
    assert table.get(b"2") is None


def test_a_call_with_a_null_id_is_not_kept() -> None:
    """Several calls may have a null id at a time, and nothing can be said about one of them."""
    assert len(make_table(NULL_ID)) == 0


def test_an_ended_call_is_forgotten() -> None:
    """A settled id is free again."""
    table = make_table(b"1")
    (call,) = table

    table.end(call)

    assert len(table) == 0
    assert call.stage is Stage.ENDED
    with pytest.raises(LocalProtocolError):
        table.end(call)


def test_a_call_with_a_null_id_ends_like_any() -> None:
    """A call that is not kept can be settled once as well."""
    table = make_table()
    call = IncomingCall(NULL_ID, "add")
    table.insert(call)

    table.end(call)

    assert call.stage is Stage.ENDED


def test_calls_may_end_while_the_table_is_read() -> None:
    """Whoever goes through the calls in flight may settle them on the way."""
    table = make_table(b"1", b"2")

    for call in table:
        table.end(call)

    assert len(table) == 0


def test_a_table_knows_how_large_its_calls_are() -> None:
    """Each counts from its start to its end, and none behind the end of the link."""
    table = CallTable[OutgoingCall]()
    first, second = (OutgoingCall(b"%d" % n, "add", Stage.OPEN, size=n) for n in (1, 2))
    table.insert(first)
    table.insert(second)
    assert table.size == 3
    table.end(first)
    assert table.size == 2
    table.end_all()
    assert table.size == 0


def test_a_lost_link_gives_its_calls_as_they_stood() -> None:
    """What was sent and what was not can still be told apart when the link has ended."""
    table = CallTable[OutgoingCall]()
    table.insert(OutgoingCall(b"1", "sent", Stage.OPEN))
    table.insert(OutgoingCall(b"2", "queued"))

    assert [call.was_sent for call in table.end_all()] == [True, False]
    assert len(table) == 0


def test_the_answers_to_a_batch_are_given_in_the_order_of_its_requests() -> None:
    """The last answer completes the reply, whichever request it is for."""
    batch = BatchAnswers()
    first, second = batch.reserve(), batch.reserve()
    batch.is_read = True
    batch.fill(second, b"2")
    assert batch.complete() is None

    batch.fill(first, b"1")

    assert batch.complete() == [b"1", b"2"]
    assert batch.size == len(b"1,2,")


def test_a_batch_is_not_complete_before_it_is_read() -> None:
    """The core's own answers come while the batch is read; more requests may follow."""
    batch = BatchAnswers()
    batch.fill(batch.reserve(), b"1")

    assert batch.complete() is None


def test_a_batch_of_notifications_has_no_reply() -> None:
    """Where nothing is to be answered, nothing is sent."""
    assert BatchAnswers(is_read=True).complete() is None
