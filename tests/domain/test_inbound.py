"""What a received message is taken for: the corpus, and the rules that it does not show."""

from __future__ import annotations

import pytest

from drumbeat.domain.bounce import failures_in, is_dead, read_address
from drumbeat.domain.inbound import InboundKind, Received, classify
from drumbeat.mail.parse import parse
from tests.corpus import SAMPLES
from tests.corpus.message import Sample


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.kind}: {sample.name}")
def test_a_message_is_read_as_a_careful_reader_reads_it(sample: Sample) -> None:
    reading = classify(parse(sample.raw))
    until = reading.until.isoformat() if reading.until else None
    assert (reading.kind.value, reading.permanent, reading.recipient, until) == (
        sample.kind,
        sample.permanent,
        sample.recipient,
        sample.until,
    ), reading.why
    assert reading.why


def test_a_report_for_several_people_is_read_for_the_one_who_was_written_to() -> None:
    group = {"action": "failed", "status": "5.1.1", "final-recipient": "rfc822; other@example.net"}
    ours = {"action": "delayed", "status": "4.4.1", "final-recipient": "rfc822; lena@example.net"}
    reading = classify(Received({}, report=(group, ours), original={"to": ("Lena <lena@example.net>",)}))
    assert (reading.kind, reading.recipient, reading.permanent) == (InboundKind.BOUNCE, "lena@example.net", False)


def test_a_report_that_names_nobody_is_about_whom_the_library_makes_out() -> None:
    reading = classify(Received({}, report=({"action": "failed"},), suspects=("lena@example.net",)))
    assert (reading.recipient, reading.permanent) == ("lena@example.net", True)


def test_a_report_of_another_action_with_a_failing_code_is_a_failure() -> None:
    reading = classify(Received({}, report=({"action": "error", "status": "5.1.1"},)))
    assert (reading.kind, reading.permanent) == (InboundKind.BOUNCE, True)


def test_a_report_without_groups_is_read_by_its_words() -> None:
    headers = {"from": ("MAILER-DAEMON@example.net",), "subject": ("Undeliverable",)}
    message = Received(headers, text="lena@example.net: no such user", report=())
    assert classify(message).recipient == "lena@example.net"


def test_a_report_that_tells_nothing_is_read_by_its_words() -> None:
    headers = {"from": ("MAILER-DAEMON@example.net",), "subject": ("Undeliverable",)}
    message = Received(headers, text="lena@example.net: no such user", report=({"reporting-mta": "dns; x"},))
    assert classify(message).recipient == "lena@example.net"


def test_ids_that_came_back_are_found_wherever_a_report_has_them() -> None:
    original = {"message-id": ("<a@x.example>",), "references": ("<b@x.example> <c@x.example>",)}
    report = ({"original-message-id": "<d@x.example>"}, {"action": "failed"})
    message = Received({"original-message-id": ("<e@x.example>",)}, report=report, original=original)
    assert set(classify(message).message_ids) == {f"<{letter}@x.example>" for letter in "abcde"}


def test_the_nearest_id_of_a_thread_comes_first() -> None:
    headers = {"references": ("<a@x.example> <b@x.example>",), "in-reply-to": ("<b@x.example>",)}
    assert classify(Received(headers)).message_ids == ("<b@x.example>", "<a@x.example>")


def test_an_automatic_reply_without_a_date_tells_no_day() -> None:
    headers = {"subject": ("Automatic reply: x",), "auto-submitted": ("auto-replied",)}
    assert classify(Received(headers, text="Back on 5 January.")).until is None


def test_a_receipt_that_tells_of_a_rejection_is_a_bounce() -> None:
    headers = {"from": ("Mail Delivery Subsystem <MAILER-DAEMON@example.net>",), "subject": ("Rejected mail",)}
    message = Received(headers, text="Quota exceeded", is_receipt=True, suspects=("lena@example.net",))
    reading = classify(message)
    assert (reading.kind, reading.recipient, reading.permanent) == (InboundKind.BOUNCE, "lena@example.net", False)


def test_a_failure_nobody_signs_is_a_bounce_when_it_opens_with_it() -> None:
    text = "Your message could not be delivered to\nlena@example.net\n"
    message = Received({"from": ("it@example.net",), "subject": ("RE: x",)}, text=text, suspects=("lena@example.net",))
    assert classify(message).kind is InboundKind.BOUNCE


def test_a_person_s_words_are_no_bounce_although_they_sound_like_one() -> None:
    headers = {"from": ("lena@example.net",), "subject": ("Returned mail",), "in-reply-to": ("<a@x.example>",)}
    assert classify(Received(headers, text="It was undeliverable.")).kind is InboundKind.REPLY


def test_an_answer_that_takes_no_answer_is_a_machine_s() -> None:
    headers = {"return-path": ("<>",), "in-reply-to": ("<a@x.example>",), "subject": ("Your letter",)}
    assert classify(Received(headers, text="x")).kind is InboundKind.AUTO_REPLY


def test_an_address_of_punctuation_is_none() -> None:
    assert read_address("'@example.com ") is None
    assert read_address("\\x{110000}") is None


def test_a_code_point_that_is_none_is_left_out() -> None:
    (failure,) = failures_in([{"action": "failed", "final-recipient": r"utf-8; a\x{110000}\x{fc}@example.com"}], "")
    assert failure.recipient == "a\u00fc@example.com"


@pytest.mark.parametrize(
    ("status", "words", "dead"),
    [
        ("5.1.1", "", True),
        ("5.2.2", "mailbox full", False),
        ("4.2.2", "no such user", False),
        ("5.7.1", "blocked by policy", False),
        ("5.7.1", "user unknown", True),
        ("5.0.0", "550 5.7.1 rejected", False),
        ("", "550 rejected", True),
        ("", "connection timed out", False),
        ("", "message too large", False),
        ("5.5.0", "", True),
        ("5.2.2", "no such user", False),
        ("", "domain does not exist", True),
    ],
)
def test_an_address_is_dead_only_if_the_cause_is_the_address(status: str, words: str, *, dead: bool) -> None:
    assert is_dead(status, words) is dead
