"""The open connections of one mailbox: opened as needed, reused, replaced, never in each other's way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Sequence

import pytest

from drumbeat.domain.delivery import Kind, Outcome, Stage, read_outcome
from drumbeat.mail.smtp import Envelope, Timeouts
from drumbeat.testing.sink import CUT, NEVER, At, Do, Sink, Talk
from tests.mail.desk import Desk, letter, post_to

LARGE = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 200_000


@pytest.mark.parametrize("last_words", [CUT, Do("421 4.4.2 idle too long", cut=True)])
def test_a_reused_connection_found_dead_is_replaced_without_a_word(last_words: Do) -> None:
    def script(at: At, talk: Talk) -> Do | None:
        return last_words if at is At.MAIL and talk.number == 1 and talk.letters else None

    with Sink(script) as sink:
        post = post_to(sink)
        for name in ("one", "two"):
            desk = Desk([letter(name)])
            post.deliver(desk.take, desk.commit)
            assert desk.codes == {name: 250}
        assert len(sink.talks) == 2


def test_a_server_that_hung_up_on_an_idle_connection_is_called_again() -> None:
    with Sink(lambda at, talk: Do(cut=True) if at is At.DOT and talk.number == 1 else None) as sink:
        post = post_to(sink)
        for name in ("one", "two"):
            desk = Desk([letter(name)])
            post.deliver(desk.take, desk.commit)
            assert desk.codes == {name: 250}
            assert sink.wait_for(lambda: len(sink.conversations) <= 1)
        assert len(sink.talks) == 2


def test_a_dead_connection_is_forgiven_only_once() -> None:
    with Sink(lambda at, talk: CUT if at is At.MAIL and (talk.letters or talk.number > 1) else None) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert desk.codes == {"one": 250, "two": None}
        assert desk.outcome("two").stage is Stage.MAIL
        assert len(sink.talks) == 2


def test_a_connection_idle_too_long_is_closed_before_it_is_needed() -> None:
    with Sink() as sink:
        post = post_to(sink, Timeouts(idle=0.0))
        for name in ("one", "two"):
            desk = Desk([letter(name)])
            post.deliver(desk.take, desk.commit)
            assert desk.codes == {name: 250}
        assert len(sink.talks) == 2
        assert sink.talks[0].wire.endswith(b"QUIT\r\n")


def test_one_stuck_connection_does_not_stall_the_others() -> None:
    with Sink({(At.RCPT, "stuck"): NEVER}) as sink:
        desk = Desk([letter("p"), letter("stuck"), *(letter(f"p{number}") for number in range(300))])
        post_to(sink, Timeouts(command=1.0), connections=3).deliver(desk.take, desk.commit)
        assert desk.told[-1] == Outcome("stuck", Stage.RCPT, None, "no answer in time")
        assert len(sink.letters) == 301


def test_a_receiver_that_stops_reading_hurts_only_its_own_connection() -> None:
    with Sink({(At.BODY, "full"): NEVER}, ("PIPELINING",)) as sink:
        desk = Desk([letter("p"), letter("full", LARGE), *(letter(f"p{number}") for number in range(50))])
        post_to(sink, Timeouts(body=1.0), connections=3).deliver(desk.take, desk.commit)
        assert desk.told[-1] == Outcome("full", Stage.DATA, None, "no answer in time")
        assert len(sink.letters) == 51


def test_stopping_takes_nothing_new_and_tells_what_it_left_behind() -> None:
    with Sink({(At.DOT, "slow"): NEVER, (At.RCPT, "early"): NEVER}) as sink:
        desk = Desk([letter("slow"), letter("early"), letter("later"), letter("latest")])

        def stopping() -> bool:
            wire = b"".join(bytes(talk.wire) for talk in sink.talks)
            return "slow" in desk.ready and b"<early@" in wire

        post_to(sink, connections=2).deliver(desk.take, desk.commit, stopping=stopping, grace=0.3)
        slow = desk.outcome("slow")
        assert slow == Outcome("slow", Stage.DOT, None, "stopped while waiting for the answer")
        assert desk.outcome("early") == Outcome("early", Stage.DATA, None, "not sent: stopped")
        assert len(desk.told) + len(desk.queue) == 4
        # A letter that was in the air beside these may have been finished; nothing else arrived.
        assert {received.recipient.partition("@")[0] for received in sink.letters} <= {"later"}


def test_stopping_lets_what_is_in_the_air_land() -> None:
    with Sink({At.DOT: Do(delay=0.1)}) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit, stopping=lambda: bool(desk.ready))
        assert desk.codes["one"] == 250
        assert len(desk.queue) + len(desk.told) == 2


def test_the_heartbeat_goes_on_while_an_answer_is_awaited() -> None:
    beats: list[int] = []
    with Sink({At.DOT: Do(delay=0.6)}) as sink:
        desk = Desk([letter("one")])
        post_to(sink).deliver(
            desk.take, desk.commit, heartbeat=lambda: beats.append(len(desk.told)), heartbeat_every=0.1
        )
        assert beats.count(0) >= 2
        assert desk.codes == {"one": 250}


def test_connections_grow_with_the_letters_and_no_further() -> None:
    with Sink({At.DOT: Do(delay=0.02)}) as sink:
        post = post_to(sink, connections=4)
        desk = Desk([letter("one")])
        post.deliver(desk.take, desk.commit)
        assert desk.codes == {"one": 250}
        desk = Desk(letter(f"p{number}") for number in range(60))
        post.deliver(desk.take, desk.commit)
        assert len(sink.letters) == 61
        assert len(sink.talks) == 4


def test_a_server_that_allows_one_connection_gets_every_letter_over_it() -> None:
    def script(at: At, talk: Talk) -> Do | None:
        return Do("421 4.7.0 one is enough", cut=True) if at is At.GREETING and talk.number > 1 else None

    with Sink(script) as sink:
        desk = Desk(letter(f"p{number}") for number in range(50))
        post_to(sink, connections=8).deliver(desk.take, desk.commit)
        assert len(sink.letters) == 50
        assert len(sink.talks) == 2
        assert set(desk.codes.values()) == {250}


def test_nothing_to_carry_opens_no_connection() -> None:
    with Sink() as sink:
        desk = Desk([])
        post_to(sink).deliver(desk.take, desk.commit)
        assert (sink.talks, desk.told, desk.asked) == ([], [], [1])


def test_closing_hangs_up() -> None:
    with Sink() as sink:
        desk = Desk([letter("one")])
        post = post_to(sink)
        post.deliver(desk.take, desk.commit)
        post.close()
        assert sink.wait_for(lambda: not sink.conversations)
        assert sink.talks[0].wire.endswith(b"QUIT\r\n")


def test_the_second_reused_connection_that_dies_under_a_letter_costs_it_a_try() -> None:
    def script(at: At, talk: Talk) -> Do | None:
        if at is At.GREETING and talk.number > 2:
            return Do(delay=1.0)
        if at is At.MAIL and talk.sender.startswith("unlucky"):
            return CUT
        return Do(delay=0.2) if at is At.DOT else None

    with Sink(script) as sink:
        post = post_to(sink, connections=2)
        desk = Desk([letter("one"), letter("two"), letter("three")])
        post.deliver(desk.take, desk.commit)
        assert all(talk.letters for talk in sink.talks)
        assert len(sink.talks) == 2
        unlucky = Envelope("unlucky", "unlucky@ours.example", "a@theirs.example", b"x\r\n")
        desk = Desk([unlucky, letter("four")])
        post.deliver(desk.take, desk.commit)
        assert desk.codes == {"unlucky": None, "four": 250}
        assert all(b"unlucky" not in talk.wire for talk in sink.talks[2:])


def test_letters_that_come_while_a_slow_answer_is_awaited_take_another_connection() -> None:
    with Sink({(At.DOT, "slow"): NEVER}) as sink:
        desk = Desk([letter("slow")])
        late = [letter("late")]

        def refill() -> None:
            if desk.ready and late:
                desk.queue.append(late.pop())

        post_to(sink, Timeouts(dot=1.8), connections=2).deliver(
            desk.take, desk.commit, heartbeat=refill, heartbeat_every=0.05
        )
        assert [outcome.key for outcome in desk.told] == ["late", "slow"]
        assert desk.codes == {"late": 250, "slow": None}


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "stepwise"])
@pytest.mark.parametrize("seed", range(3))
def test_in_a_storm_every_letter_has_one_outcome_and_it_is_the_truth(extensions: tuple[str, ...], seed: int) -> None:
    chance = random.Random(seed)
    mishaps = [
        CUT,
        Do("", cut=True, accept=True),
        Do("421 4.3.2 bye", cut=True),
        Do("451 4.3.0 later"),
        Do("554 5.6.0 no"),
        Do("rubbish"),
        Do("354 what"),
        Do("999-\r\n"),
        Do(delay=0.005),
    ]
    dropped: list[Hashable] = []

    def script(at: At, talk: Talk) -> Do | None:
        spared = at is At.BODY or chance.random() > 0.04
        return None if spared else chance.choice(mishaps)

    with Sink(script, extensions) as sink:
        desk = Desk(letter(f"p{number}") for number in range(400))

        def commit(outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> set[Hashable]:
            if chance.random() < 0.03:
                raise ConnectionError("database away")
            granted = {key for key in desk.commit(outcomes, ready) if chance.random() > 0.03}
            dropped.extend(set(ready) - granted)
            return granted

        post = post_to(sink, connections=6)
        while desk.queue:
            post.deliver(desk.take, commit)
        arrived = Counter(got.recipient.partition("@")[0] for got in sink.letters)

    assert max(arrived.values()) == 1
    told = Counter(str(outcome.key) for outcome in desk.told) + Counter(map(str, dropped))
    assert told == {f"p{number}": 1 for number in range(400)}
    for outcome in desk.told:
        kind = read_outcome(outcome).kind
        if kind is not Kind.IN_DOUBT:
            assert arrived[str(outcome.key)] == (kind is Kind.ACCEPTED)
