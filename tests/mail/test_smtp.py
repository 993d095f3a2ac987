"""The held dot, against a real server over loopback."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.delivery import Kind, Outcome, Stage, read_outcome
from drumbeat.mail.smtp import Envelope, Post, Security, Server, Timeouts
from drumbeat.testing.sink import CUT, NEVER, At, Do, Sink, Talk
from tests.mail.desk import QUICK, Desk, letter, post_to

PIPELINED = ("PIPELINING", "SIZE 10000000")
STEPWISE = ("8BITMIME",)
BOTH_WAYS = pytest.mark.parametrize("extensions", [PIPELINED, STEPWISE], ids=["pipelined", "stepwise"])
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 80_000


@BOTH_WAYS
def test_every_letter_arrives_once_on_one_reused_connection(extensions: tuple[str, ...]) -> None:
    with Sink(extensions=extensions) as sink:
        desk = Desk(letter(f"p{number}") for number in range(20))
        post_to(sink).deliver(desk.take, desk.commit)
        assert [got.recipient for got in sink.letters] == [f"p{n}@theirs.example" for n in range(20)]
        assert desk.codes == {f"p{number}": 250 for number in range(20)}
        assert len(sink.talks) == 1


@BOTH_WAYS
def test_the_dot_is_never_on_the_wire_before_the_commit_returned(extensions: tuple[str, ...]) -> None:
    with Sink(extensions=extensions) as sink:
        desk = Desk([letter("one"), letter("two")])

        def commit(outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> set[Hashable]:
            if ready:
                assert sink.wait_for(lambda: sink.talks[0].wire.endswith(b"A line.\r\n"))
                assert len(sink.letters) == len(desk.ready)
            return desk.commit(outcomes, ready)

        post_to(sink).deliver(desk.take, commit)
        assert desk.ready == ["one", "two"]
        assert len(sink.letters) == 2


def test_the_next_letter_shares_a_write_with_the_dot_only_where_pipelining_is_offered() -> None:
    order: list[At] = []
    with Sink(extensions=STEPWISE, script=lambda at, _: order.append(at)) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert len(sink.letters) == 2
    with Sink(extensions=PIPELINED) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert b"\r\n.\r\nMAIL FROM:<seller@ours.example> SIZE=" in sink.talks[0].wire
    assert order.count(At.MAIL) == order.count(At.DOT) == 2


def test_a_letter_that_is_not_granted_never_gets_its_dot_and_has_no_outcome() -> None:
    with Sink() as sink:
        desk = Desk([letter("stopped"), letter("wanted")], grants=lambda key: key != "stopped")
        post_to(sink).deliver(desk.take, desk.commit)
        assert [got.recipient for got in sink.letters] == ["wanted@theirs.example"]
        assert desk.codes == {"wanted": 250}
        assert b"\r\n.\r\n" not in sink.talks[0].wire


def test_a_commit_that_fails_sends_nothing_and_its_outcomes_are_handed_over_again() -> None:
    pauses: list[float] = []
    failures = iter([False, True, True, False, False, False])
    with Sink() as sink:
        desk = Desk([letter("one"), letter("two")])
        seen: list[tuple[list[Hashable], list[Hashable]]] = []

        def commit(outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> set[Hashable]:
            seen.append(([outcome.key for outcome in outcomes], list(ready)))
            if next(failures):
                raise ConnectionError("database away")
            return desk.commit(outcomes, ready)

        server = Server("127.0.0.1", sink.port, Security.NONE, connections=1)
        Post(server, Timeouts(linger=0.5), sleep=pauses.append).deliver(desk.take, commit)
        assert seen[:4] == [([], ["one"]), (["one"], ["two"]), (["one", "two"], []), (["one", "two"], [])]
        assert pauses == [0.1, 0.5]
        assert [got.recipient for got in sink.letters] == ["one@theirs.example"]
        unsent = desk.outcome("two")
        assert (unsent.stage, unsent.reply, unsent.error) == (
            Stage.DATA,
            None,
            "not sent: the point of no return was not recorded",
        )


def test_a_commit_that_keeps_failing_is_raised_and_the_next_call_settles_what_was_left() -> None:
    pauses: list[float] = []
    with Sink() as sink:
        desk = Desk([letter("one")])
        server = Server("127.0.0.1", sink.port, Security.NONE)
        post = Post(server, sleep=pauses.append)

        def commit(outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> set[Hashable]:
            raise ConnectionError("database away")

        with pytest.raises(ConnectionError):
            post.deliver(desk.take, commit)
        assert pauses == [0.1, 0.5, 2.0, 5.0]
        post.deliver(desk.take, desk.commit)
        assert desk.outcome("one").stage is Stage.DATA
        assert sink.letters == []


@BOTH_WAYS
def test_a_refused_recipient_costs_neither_the_connection_nor_the_next_letter(
    extensions: tuple[str, ...],
) -> None:
    with Sink({(At.RCPT, "gone"): "550 5.1.1 no such user"}, extensions) as sink:
        desk = Desk([letter("gone"), letter("here")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert (desk.outcome("gone").stage, desk.codes) == (Stage.RCPT, {"gone": 550, "here": 250})
        assert len(sink.talks) == 1
        assert len(sink.letters) == 1


@BOTH_WAYS
@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.DOT])
@pytest.mark.parametrize("reply", ["451 4.3.0 later", "554 5.6.0 no"])
def test_a_refusal_is_told_at_its_stage_and_the_rest_goes_on(extensions: tuple[str, ...], at: At, reply: str) -> None:
    replies = iter([reply])
    with Sink(lambda now, _: next(replies, None) if now is at else None, extensions) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert desk.outcome("one").stage == Stage(at)
        assert desk.codes == {"one": int(reply[:3]), "two": 250}
        assert [got.recipient for got in sink.letters] == ["two@theirs.example"]


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT])
def test_no_body_follows_a_refusal_even_if_data_is_welcomed(at: At) -> None:
    with Sink(lambda now, talk: {at: "550 5.1.1 no", At.DATA: "354 go"}.get(now) if talk.number == 1 else None) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert desk.codes == {"one": 550, "two": 250}
        assert sink.talks[0].wire.endswith(b"DATA\r\n")
        assert len(sink.talks) == 2


@BOTH_WAYS
@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.DOT])
def test_421_at_any_stage_reopens_the_connection_and_loses_nothing(extensions: tuple[str, ...], at: At) -> None:
    def script(now: At, talk: Talk) -> Do | None:
        return Do("421 4.3.2 closing", cut=True) if now is at and talk.number == 1 else None

    with Sink(script, extensions) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert (desk.outcome("one").stage, desk.codes) == (Stage(at), {"one": 421, "two": 250})
        assert read_outcome(desk.outcome("one")).kind is Kind.RETRY
        assert len(sink.talks) == 2


@pytest.mark.parametrize("accept", [True, False])
def test_a_cut_after_the_dot_is_a_doubt_whether_or_not_the_letter_arrived(accept: bool) -> None:
    with Sink({(At.DOT, "one"): Do("", cut=True, accept=accept)}) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert read_outcome(desk.outcome("one")).kind is Kind.IN_DOUBT
        assert desk.outcome("two").reply
        assert len(sink.letters) == 1 + accept


def test_an_answer_to_the_dot_that_never_comes_becomes_a_doubt() -> None:
    with Sink({At.DOT: NEVER}) as sink:
        desk = Desk([letter("one")])
        post_to(sink, Timeouts(dot=0.3)).deliver(desk.take, desk.commit)
        assert read_outcome(desk.outcome("one")).kind is Kind.IN_DOUBT
        assert desk.outcome("one").error == "no answer in time"


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.BODY])
def test_a_cut_before_the_dot_is_definitely_not_sent(at: At) -> None:
    with Sink(lambda now, talk: CUT if now is at and talk.number == 1 else None) as sink:
        desk = Desk([letter("one", LARGE), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        outcome = desk.outcome("one")
        assert outcome.stage == (Stage.DATA if at is At.BODY else Stage(at))
        assert read_outcome(outcome).kind is Kind.RETRY
        assert [got.recipient for got in sink.letters] == ["two@theirs.example"]


def test_a_server_that_refuses_in_the_middle_of_the_body_is_quoted() -> None:
    with Sink({(At.BODY, "one"): Do("552 5.3.4 enough", cut=True)}) as sink:
        desk = Desk([letter("one", LARGE)], grants=lambda _: False)
        post_to(sink).deliver(desk.take, desk.commit)
        outcome = desk.outcome("one")
        assert outcome.stage is Stage.DATA
        assert outcome.reply is None or outcome.reply.enhanced == "5.3.4"
        assert sink.letters == []


def test_a_connection_that_died_during_the_commit_gets_no_dot_and_no_doubt() -> None:
    with Sink({At.BODY: CUT}) as sink:
        desk = Desk([letter("one")])

        def commit(outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> set[Hashable]:
            assert sink.wait_for(lambda: not sink.conversations)
            return desk.commit(outcomes, ready)

        post_to(sink).deliver(desk.take, commit)
        assert read_outcome(desk.outcome("one")).kind is Kind.RETRY


def test_a_letter_larger_than_the_servers_limit_is_not_sent_at_all() -> None:
    with Sink(extensions=("PIPELINING", "SIZE 100")) as sink:
        desk = Desk([letter("large", b"x" * 99 + b"\r\n"), letter("small")])
        post_to(sink).deliver(desk.take, desk.commit)
        outcome = desk.outcome("large")
        assert outcome.reply is not None
        assert (outcome.stage, outcome.reply.code, outcome.reply.enhanced) == (Stage.MAIL, 552, "5.3.4")
        assert b"large@" not in sink.talks[0].wire
        assert desk.codes["small"] == 250


@pytest.mark.parametrize("recipient", ["a@b>\r\nRCPT TO:<c@d", "käse@b.example", "a b@c", ""])
def test_an_address_that_cannot_be_written_is_refused_unsent(recipient: str) -> None:
    with Sink() as sink:
        desk = Desk([Envelope("k", "s@ours.example", recipient, b"x\r\n")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert (desk.outcome("k").stage, desk.codes) == (Stage.RCPT, {"k": 553})
        assert b"MAIL" not in sink.talks[0].wire


@pytest.mark.parametrize(
    "garbage",
    [
        "250 " + "x" * 5000,
        "250 a\x00b",
        "hello",
        "\r\n".join(["250-x"] * 1000) + "\r\n250 x",
        "250-x\r\n251 x",
        "354 what",
        "999 what",
    ],
    ids=["long line", "NUL", "no code", "many lines", "changing code", "wrong class", "no such class"],
)
@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DOT])
def test_a_garbled_reply_counts_as_a_lost_connection_at_that_stage(garbage: str, at: At) -> None:
    with Sink(lambda now, talk: garbage if now is at and talk.number == 1 else None) as sink:
        desk = Desk([letter("one"), letter("two")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert (desk.outcome("one").stage, desk.codes) == (Stage(at), {"one": None, "two": 250})
        assert len(sink.talks) == 2


_LINES = st.lists(st.text(st.sampled_from(".ab \t"), max_size=8), max_size=12)


def test_any_text_arrives_byte_for_byte_whatever_its_dots() -> None:
    with Sink() as sink:
        post = post_to(sink, QUICK)

        @settings(max_examples=60, deadline=None)
        @given(_LINES)
        def arrives(lines: list[str]) -> None:
            content = "".join(f"{line}\r\n" for line in lines).encode()
            desk = Desk([letter("one", content)])
            post.deliver(desk.take, desk.commit)
            assert sink.letters[-1].content == (content or b"\r\n")
            assert len(sink.letters) == len({got.at for got in sink.letters})

        arrives()
        assert len(sink.talks) == 1


def test_a_bare_line_feed_cannot_forge_the_end_of_a_letter() -> None:
    with Sink() as sink:
        desk = Desk([letter("one", b"a\n.\nMAIL FROM:<evil@x>\r.\rb")])
        post_to(sink).deliver(desk.take, desk.commit)
        assert [got.content for got in sink.letters] == [b"a\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\nb\r\n"]
