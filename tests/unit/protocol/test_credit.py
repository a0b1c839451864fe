"""Flow control of one stream: both sides check it, and no item waits for ever."""

from __future__ import annotations

import pytest

from farcall._protocol.credit import DEFAULT_WINDOW, ReceiveCredit, SendCredit, Window

WINDOW = Window(items=4, size=100)


def test_the_default_window_is_that_of_the_protocol() -> None:
    """A request that opens no window of its own means 32 items and 256 KiB."""
    assert Window(32, 262_144) == DEFAULT_WINDOW


def test_a_new_stream_may_fill_its_window() -> None:
    """Before any credit has come, the whole window may be sent."""
    credit = WINDOW.for_sender()

    assert credit.is_idle
    assert (credit.items_left, credit.bytes_left) == (4, 100)


@pytest.mark.parametrize(("size", "may_pass"), [(60, True), (61, False)])
def test_bytes_are_counted_to_the_last(size: int, may_pass: bool) -> None:
    """An item may fill the window exactly, and not by a byte more."""
    credit = WINDOW.for_sender()
    credit.spend(1, 40)

    assert credit.allows(size) is may_pass


def test_items_are_counted() -> None:
    """When all items of the window are on their way, not even an empty one may follow."""
    credit = WINDOW.for_sender()
    credit.spend(4, 4)

    assert not credit.allows(0)


def test_a_large_item_passes_alone() -> None:
    """An item larger than the window may pass when nothing of its stream is in flight."""
    credit = WINDOW.for_sender()

    assert credit.allows(1_000_000)


def test_a_large_item_waits_for_what_is_in_flight() -> None:
    """An item larger than the rest of the window waits until all before it is consumed."""
    credit = WINDOW.for_sender()
    credit.spend(1, 1)

    assert not credit.allows(100)

    credit.grant(5, 101)

    assert credit.allows(100)


def test_a_stream_is_not_idle_while_its_bytes_are_granted_and_its_items_are_not() -> None:
    """Both units must be free again before a large item may pass."""
    credit = WINDOW.for_sender()
    credit.spend(1, 0)

    assert not credit.is_idle


def test_nothing_follows_a_large_item_until_it_is_consumed() -> None:
    """After an item larger than the window, the next one waits for credit."""
    credit = WINDOW.for_sender()
    credit.spend(1, 500)

    assert credit.bytes_left == -400
    assert not credit.allows(1)

    credit.grant(5, 600)

    assert credit.allows(100)


@pytest.mark.parametrize(
    ("items", "size", "has_gained"), [(5, 100, True), (4, 101, True), (4, 100, False)]
)
def test_a_grant_tells_whether_it_gave_room(items: int, size: int, has_gained: bool) -> None:
    """`grant` is true if either total has grown."""
    assert WINDOW.for_sender().grant(items, size) is has_gained


def test_old_totals_take_nothing_away() -> None:
    """Totals only grow: those of a peer that goes back are ignored."""
    credit = WINDOW.for_sender()
    credit.grant(50, 5_000)

    assert not credit.grant(3, 10)
    assert (credit.items_left, credit.bytes_left) == (50, 5_000)


def test_totals_can_be_as_large_as_the_wire_allows() -> None:
    """The largest totals of the wire cause no overflow."""
    credit = WINDOW.for_sender()

    assert credit.grant(2**53, 2**53)
    assert credit.allows(2**53)


def granted(credit: ReceiveCredit, size: int) -> tuple[int, int] | None:
    """Take an item, and give the totals that are due then, if any."""
    due: list[bool] = []
    credit.on_due = due.append
    credit.use(size)
    return credit.grant() if due else None


def receiver_after(*sizes: int) -> ReceiveCredit:
    """Make a receiver that got items one by one."""
    credit = WINDOW.for_receiver()
    for size in sizes:
        assert credit.receive([size])
    return credit


def test_a_batch_within_the_window_is_accepted() -> None:
    """A sender may fill the window with one batch, in both units."""
    assert WINDOW.for_receiver().receive([25, 25, 25, 25])


def test_one_item_too_many_is_refused() -> None:
    """A sender that ignores the items of the window is caught."""
    assert not WINDOW.for_receiver().receive([1] * 5)


def test_one_byte_too_many_is_refused() -> None:
    """A sender that ignores the bytes of the window is caught."""
    assert not WINDOW.for_receiver().receive([50, 51])


def test_a_large_item_is_accepted_alone() -> None:
    """An item larger than the window is no fault when nothing else is in flight."""
    assert WINDOW.for_receiver().receive([1_000])


def test_a_large_item_in_a_batch_is_refused() -> None:
    """An item larger than the window must be alone in its message."""
    assert not WINDOW.for_receiver().receive([1_000, 1])


def test_a_large_item_is_refused_while_others_are_in_flight() -> None:
    """An item larger than the window waits until nothing is in flight."""
    assert not receiver_after(1).receive([1_000])


def test_a_large_item_is_accepted_once_all_before_it_is_granted_again() -> None:
    """Credit for all received items allows a large one."""
    credit = receiver_after(10, 20)

    assert granted(credit, 10) is None
    assert granted(credit, 20) == (6, 130)
    assert credit.receive([1_000])


def test_an_empty_batch_is_accepted_after_a_large_item() -> None:
    """A message without values, which brings a cursor, needs no credit."""
    assert receiver_after(1_000).receive([])


def test_credit_is_due_when_half_of_the_items_are_consumed() -> None:
    """The receiver grants credit early enough for the sender not to pause."""
    credit = receiver_after(1, 1, 1, 1)

    assert granted(credit, 1) is None
    assert granted(credit, 1) == (6, 102)


def test_credit_is_due_when_half_of_the_bytes_are_consumed() -> None:
    """A few large items are granted as early as many small ones."""
    assert granted(receiver_after(50, 1, 1), 50) == (5, 150)


def test_credit_is_due_when_all_is_consumed() -> None:
    """A large item may wait for an idle stream, so credit is due when all is consumed."""
    assert granted(receiver_after(1), 1) == (5, 101)


def is_late(credit: ReceiveCredit, *sizes: int) -> list[bool]:
    """Receive and take items one by one, and tell which credit may be late."""
    due: list[bool] = []
    credit.on_due = due.append
    for size in sizes:
        assert credit.receive([size])
        credit.use(size)
    return due


def test_credit_for_small_items_may_be_late() -> None:
    """Credit that is due only because all is consumed may wait; half of a window is due at once."""
    assert is_late(WINDOW.for_receiver(), 1, 1, 1) == [True, False]


def test_credit_is_due_once_until_it_is_sent() -> None:
    """Until the credit leaves, items that are consumed meanwhile only add to it."""
    credit = WINDOW.for_receiver()

    assert is_late(credit, 1, 1, 1) == [True, False]
    assert credit.grant() == (7, 103)
    assert is_late(credit, 1) == [True]


def test_credit_after_a_large_item_is_never_late() -> None:
    """The next item may be as large, and would wait for it."""
    credit = WINDOW.for_receiver()
    assert is_late(credit, 51) == [False]
    credit.grant()

    assert is_late(credit, 1) == [False]


def test_credit_counts_from_what_was_granted() -> None:
    """After a grant the next one is due when half of a window is consumed again."""
    credit = receiver_after(1, 1, 1, 1)

    assert [granted(credit, 1) for _ in range(4)] == [None, (6, 102), None, (8, 104)]


def filled(credit: ReceiveCredit) -> int:
    """Fill the window with one message, take all of it, and return the window that is granted."""
    sizes = [1] * (credit.granted_items - credit.received_items)
    assert credit.receive(sizes)
    for size in sizes:
        credit.use(size)
    return credit.grant()[0] - credit.received_items


def test_a_window_that_stops_a_fast_stream_grows() -> None:
    """A window doubles each time that one message fills it and the reader has nothing else."""
    credit = Window(4, 10_000).for_receiver(most_items=20)

    assert [filled(credit) for _ in range(4)] == [8, 16, 20, 20]


def test_a_window_that_may_not_grow_stays() -> None:
    """A reader that wants one item at a time never gets more."""
    credit = Window(1, 100).for_receiver(most_items=1)

    assert [filled(credit) for _ in range(3)] == [1, 1, 1]


def test_a_window_does_not_grow_for_a_slow_reader() -> None:
    """A window that is filled while the reader has items left keeps its size."""
    credit = receiver_after(1, 1, 1, 1)
    for _ in range(3):
        assert granted(credit, 1) is None
        assert granted(credit, 1) is not None
        assert credit.receive([1, 1])

    assert credit.items == 4


def test_what_the_receiver_grants_lets_the_sender_go_on() -> None:
    """A stream of items of any size never stops for good."""
    sender = SendCredit(WINDOW)
    receiver = ReceiveCredit(WINDOW, lambda _: sender.grant(*receiver.grant()))
    for size in [1, 99, 100, 101, 1_000, 0, 1, 100] * 3:
        assert sender.allows(size)
        sender.spend(1, size)
        assert receiver.receive([size])
        receiver.use(size)
