"""The life of an id: each step from each stage, the tables, and the answers to a batch."""

from __future__ import annotations

import pytest

from farcall._protocol.state import (
    ABANDONED,
    ENDED,
    OPEN,
    QUEUED,
    STARTED,
    Batch,
    IncomingCall,
    LocalProtocolError,
    OutgoingCall,
    ProtocolState,
    Stage,
    no_step,
)
from tests.unit.protocol.pair import Peer, ProtocolPair, make_hello

LIFE = """
QUEUED    take     OPEN
QUEUED    withdraw ENDED
OPEN      start    STARTED
OPEN      abandon  ABANDONED
OPEN      end      ENDED
STARTED   items    STARTED
STARTED   abandon  ABANDONED
STARTED   end      ENDED
ABANDONED start    ABANDONED
ABANDONED items    ABANDONED
ABANDONED end      ENDED
"""
STAGES = {stage.name: stage for stage in (QUEUED, OPEN, STARTED, ABANDONED, ENDED)}
STEPS = sorted(set(Stage.__slots__) - {"name"})
TABLE = {tuple(row[:2]): row[2] for row in map(str.split, LIFE.strip().splitlines())}


@pytest.mark.parametrize("stage", STAGES.values(), ids=repr)
@pytest.mark.parametrize("step", STEPS)
def test_each_stage_has_the_steps_of_the_protocol(stage: Stage, step: str) -> None:
    """Each stage has exactly the steps of the table."""
    after = TABLE.get((stage.name, step))

    assert getattr(stage, step) is (None if after is None else STAGES[after])


@pytest.mark.parametrize("stage", STAGES.values(), ids=repr)
def test_a_step_that_is_not_allowed_is_refused(stage: Stage) -> None:
    """A step that is not allowed raises LocalProtocolError with the call and its stage."""
    with pytest.raises(
        LocalProtocolError, match=rf"no such step of add \(id b'7'\) in {stage.name}"
    ):
        no_step(OutgoingCall("add", id=b"7", stage=stage))


def test_nothing_leads_out_of_the_end() -> None:
    """A settled call has no further step."""
    assert {getattr(ENDED, step) for step in STEPS} == {None}


def test_every_path_ends() -> None:
    """From each stage every path leads to the end."""
    ends = {stage.end for stage in STAGES.values()} | {QUEUED.withdraw}

    assert ends == {None, ENDED}


def test_a_call_of_this_side_waits_for_the_writer() -> None:
    """A new call is queued; once the writer takes it, it is open."""
    call = OutgoingCall("add", text=b"{}")
    assert not call.was_sent

    assert call.take(0.0) == b"{}"

    assert call.was_sent


@pytest.mark.parametrize("stage", [OPEN, STARTED, ABANDONED, ENDED], ids=repr)
def test_a_call_is_taken_once(stage: Stage) -> None:
    """A call is sent at most once, and a withdrawn one never."""
    call = OutgoingCall("add", stage=stage, text=b"{}")

    assert call.take(0.0) == b""
    assert call.stage is stage


def test_a_call_of_the_peer_is_open_at_once() -> None:
    """A call of the peer begins open."""
    assert IncomingCall(b"1", "add").stage is OPEN


# The tables


def test_a_call_is_found_by_its_id(plain: ProtocolPair) -> None:
    """A call in flight is found by its id."""
    number = plain.server.called('"id":1,"method":"a"')
    text = plain.server.called('"id":"1","method":"a"')

    assert plain.server.protocol.incoming == {b"1": number, b'"1"': text}


def test_calls_count_with_the_size_of_their_parameters(pair: ProtocolPair) -> None:
    """A call counts the size of its parameters until its end."""
    protocol = pair.client.protocol
    first, incoming = pair.call("a", b"[1]")
    second = pair.client.make("b", b"[22]")
    pair.client.make("c")
    assert (first.size, second.size, protocol.outgoing_size) == (3, 4, 7)

    pair.server.respond(incoming)
    pair.to_client()
    assert protocol.outgoing_size == 4

    protocol.withdraw(second)
    assert protocol.outgoing_size == 0

    pair.client.make("b", b"[22]")
    protocol.cut()
    assert protocol.outgoing_size == 0


def test_subscriptions_count_by_themselves(pair: ProtocolPair) -> None:
    """Subscriptions are counted apart from calls, without a size."""
    _, incoming = pair.stream()
    pair.call()
    assert pair.client.protocol.outgoing_subscriptions == 1
    assert pair.client.protocol.outgoing_size == 0
    assert pair.server.protocol.incoming_subscriptions == 1
    assert len(pair.server.protocol.incoming) == 2

    pair.server.respond(incoming)
    pair.to_client()
    assert pair.client.protocol.outgoing_subscriptions == 0
    assert pair.server.protocol.incoming_subscriptions == 0

    pair.stream()
    for peer in (pair.client, pair.server):
        peer.protocol.cut()
    assert pair.client.protocol.outgoing_subscriptions == 0
    assert pair.server.protocol.incoming_subscriptions == 0


# The answers to a batch


def make_state() -> ProtocolState:
    return Peer(make_hello(), has_dialled=False).protocol


def test_the_answers_to_a_batch_are_given_in_the_order_of_its_requests() -> None:
    """The last response completes the reply, whichever request it is for."""
    state, batch = make_state(), Batch()
    first, second = batch.reserve(), batch.reserve()
    batch.is_read = True
    assert state.fill(batch, second, b"2") is None
    assert state.batched == len(b"2,")

    assert state.fill(batch, first, b"1") == b"[1,2]"

    assert state.batched == 0


def test_a_batch_is_not_complete_before_it_is_read() -> None:
    """A batch gets no reply while more of its requests may follow."""
    state, batch = make_state(), Batch()

    assert state.fill(batch, batch.reserve(), b"1") is None

    batch.is_read = True
    assert state.reply(batch) == b"[1]"


def test_a_batch_of_notifications_has_no_reply() -> None:
    """A batch without responses gets no reply."""
    assert make_state().reply(Batch(is_read=True)) is None


# What both sides agreed on


def test_a_connection_is_plain_until_the_peer_has_said_hello() -> None:
    """The peer's hello sets the dialect and the limit of messages."""
    state = make_state()
    assert (state.is_greeted, state.peer) == (False, None)
    assert (state.message_limit, state.message_limit_name) == (16 * 2**20, "message_out")

    state.greet(make_hello(message=1_000))

    assert (state.is_greeted, state.peer) == (True, make_hello(message=1_000))
    assert (state.message_limit, state.message_limit_name) == (1_000, "message")


def test_without_an_announced_limit_the_own_one_holds() -> None:
    """Without an announced limit that of this side holds."""
    state = make_state()

    state.greet(make_hello(message=None))

    assert state.message_limit == 16 * 2**20
