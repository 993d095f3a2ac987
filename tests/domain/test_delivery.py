"""What an SMTP reply means, when to try again, and which way a delivery may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.delivery import (
    TRANSITIONS,
    DeliveryStatus,
    FailureReason,
    Kind,
    Outcome,
    Reply,
    Scope,
    Stage,
    Verdict,
    may_become,
    message_id,
    read_message_id,
    read_outcome,
    reason_after_giving_up,
    retry_at,
)

KEY = b"k" * 32
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ids = st.integers(0, 2**63 - 1)
BEFORE_THE_DOT = [stage for stage in Stage if stage is not Stage.DOT]


def answered(stage: Stage, line: str) -> Verdict:
    return read_outcome(Outcome("k", stage, Reply.read(int(line[:3]), line[4:].encode())))


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("stage", [Stage.AUTH, Stage.MAIL])
def test_a_login_code_holds_the_whole_mailbox(code: int, stage: Stage) -> None:
    verdict = answered(stage, f"{code} 5.7.8 no")
    assert (verdict.kind, verdict.reason, verdict.scope) == (Kind.REFUSED, FailureReason.AUTH, Scope.MAILBOX)


def test_any_other_lasting_refusal_of_the_login_is_auth_too() -> None:
    assert answered(Stage.AUTH, "504 5.5.4 mechanism not known").reason is FailureReason.AUTH


def test_a_temporary_login_failure_is_tried_again() -> None:
    verdict = answered(Stage.AUTH, "454 4.7.0 temporary authentication failure")
    assert (verdict.kind, verdict.reason, verdict.scope) == (Kind.RETRY, None, Scope.MAILBOX)


@pytest.mark.parametrize(
    "line",
    [
        "550 5.1.1 no such user",
        "550 5.1.2 no such host",
        "501 5.1.3 bad syntax",
        "551 5.1.6 has moved",
        "556 5.1.10 null MX",
        "556 the domain takes no mail",
        "550 no such user",
        "551 not local",
        "553 mailbox name not allowed",
        "501 syntax",
        "550 5.4.1 access denied",
    ],
)
def test_a_refused_recipient_makes_the_address_undeliverable(line: str) -> None:
    verdict = answered(Stage.RCPT, line)
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, FailureReason.RECIPIENT_INVALID)
    assert verdict.scope is Scope.ADDRESS


def test_a_recipient_refused_only_after_the_dot_is_still_a_recipient() -> None:
    assert answered(Stage.DOT, "550 5.1.1 unknown").reason is FailureReason.RECIPIENT_INVALID
    assert answered(Stage.DOT, "550 unknown").reason is FailureReason.UNKNOWN


@pytest.mark.parametrize("line", ["550 5.7.1 blocked", "550 5.2.2 mailbox full", "550 5.3.0 trouble"])
def test_a_policy_or_a_full_mailbox_says_nothing_about_the_address(line: str) -> None:
    verdict = answered(Stage.RCPT, line)
    assert (verdict.reason, verdict.scope) == (FailureReason.UNKNOWN, Scope.LETTER)


@pytest.mark.parametrize("line", ["552 5.3.4 too big", "552 too big", "554 5.3.4 big", "552 5.2.3 long"])
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.DATA, Stage.DOT])
def test_a_letter_too_large_is_the_letters_trouble(line: str, stage: Stage) -> None:
    verdict = answered(stage, line)
    assert (verdict.reason, verdict.scope) == (FailureReason.ATTACHMENT_LIMIT_EXCEEDED, Scope.LETTER)


def test_552_for_content_or_a_full_mailbox_is_not_about_size() -> None:
    assert answered(Stage.DOT, "552 5.7.0 content").reason is FailureReason.UNKNOWN
    assert answered(Stage.RCPT, "552 5.2.2 full").reason is FailureReason.UNKNOWN


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        (Stage.RCPT, "452 4.5.3 too many recipients"),
        (Stage.MAIL, "550 5.4.5 daily quota"),
        (Stage.DOT, "550 5.7.1 sending rate exceeded"),
        (Stage.RCPT, "550 5.7.232 exceeded its tenant threshold"),
        (Stage.RCPT, "550 example.org has used its 100 mails per hour"),
        (Stage.RCPT, "550 5.1.90 daily limit reached"),
    ],
)
def test_a_providers_sending_limit_holds_the_mailbox(stage: Stage, line: str) -> None:
    verdict = answered(stage, line)
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, FailureReason.SENDOUT_LIMITED)
    assert verdict.scope is Scope.MAILBOX


@pytest.mark.parametrize("stage", list(Stage))
def test_a_server_that_asks_to_slow_down_is_asked_again_and_is_a_limit_when_it_repeats_itself(stage: Stage) -> None:
    verdict = answered(stage, "421 4.7.0 slow down")
    assert (verdict.kind, verdict.reason, verdict.scope) == (Kind.RETRY, None, Scope.MAILBOX)
    assert verdict.if_repeated is FailureReason.SENDOUT_LIMITED


def test_a_sender_that_is_refused_is_the_mailbox_s_trouble() -> None:
    verdict = answered(Stage.MAIL, "550 5.7.1 sender address rejected")
    assert (verdict.kind, verdict.reason, verdict.scope) == (Kind.REFUSED, FailureReason.AUTH, Scope.MAILBOX)


def test_a_recipient_who_gets_too_much_mail_is_not_our_limit() -> None:
    assert answered(Stage.RCPT, "550 5.2.1 rate limit of this user").reason is FailureReason.RECIPIENT_INVALID


@pytest.mark.parametrize("stage", [Stage.DATA, Stage.DOT])
def test_any_other_lasting_refusal_is_definite_and_waits_for_a_person(stage: Stage) -> None:
    verdict = answered(stage, "554 5.6.0 content not liked")
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, FailureReason.UNKNOWN)
    assert verdict.scope is Scope.LETTER


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.TLS])
def test_a_server_that_refuses_the_session_is_tried_again(stage: Stage) -> None:
    verdict = answered(stage, "554 5.3.2 not now")
    assert (verdict.kind, verdict.reason, verdict.scope) == (Kind.RETRY, None, Scope.MAILBOX)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_temporary_refusal_is_tried_again_even_after_the_dot(stage: Stage) -> None:
    verdict = answered(stage, "451 4.3.0 later")
    assert (verdict.kind, verdict.reason) == (Kind.RETRY, None)


def test_greylisting_belongs_to_the_address() -> None:
    assert answered(Stage.RCPT, "450 4.2.0 greylisted").scope is Scope.ADDRESS


@pytest.mark.parametrize("stage", BEFORE_THE_DOT)
def test_lost_before_the_dot_was_not_sent_and_is_tried_again(stage: Stage) -> None:
    verdict = read_outcome(Outcome("k", stage, None, "connection lost"))
    assert (verdict.kind, verdict.reason) == (Kind.RETRY, None)
    assert "connection lost" in verdict.detail


def test_lost_after_the_dot_is_in_doubt() -> None:
    verdict = read_outcome(Outcome("k", Stage.DOT, None, None))
    assert (verdict.kind, verdict.reason, verdict.scope) == (
        Kind.IN_DOUBT,
        FailureReason.UNKNOWN,
        Scope.LETTER,
    )


def test_a_reply_of_the_wrong_class_counts_as_none() -> None:
    assert answered(Stage.DOT, "354 go on").kind is Kind.IN_DOUBT
    assert answered(Stage.DATA, "250 fine").kind is Kind.RETRY


def test_accepted_quotes_the_server() -> None:
    verdict = answered(Stage.DOT, "250 2.0.0 queued as 4F2")
    assert (verdict.kind, verdict.reason) == (Kind.ACCEPTED, None)
    assert verdict.detail == "The server accepted the letter: 250 2.0.0 queued as 4F2."


@settings(max_examples=200)
@given(st.sampled_from(list(Stage)), st.integers(0, 999), st.binary(max_size=60))
def test_every_outcome_has_a_verdict_and_only_a_positive_answer_to_the_dot_is_accepted(
    stage: Stage, code: int, raw: bytes
) -> None:
    verdict = read_outcome(Outcome("k", stage, Reply.read(code, raw)))
    assert (verdict.kind is Kind.ACCEPTED) == (stage is Stage.DOT and code // 100 == 2)
    assert (verdict.reason is None) == (verdict.kind in (Kind.ACCEPTED, Kind.RETRY))
    assert verdict.kind is not Kind.IN_DOUBT or stage is Stage.DOT
    assert verdict.detail.isprintable()


@settings(max_examples=200)
@given(st.binary(max_size=5000))
def test_a_replys_text_is_bounded_and_printable(raw: bytes) -> None:
    reply = Reply.read(550, raw)
    assert len(reply.text) <= 500
    assert reply.text.isprintable()


def test_the_enhanced_code_is_taken_out_of_every_line() -> None:
    reply = Reply.read(550, b"5.1.1 no such\n5.1.1 user")
    assert (reply.enhanced, reply.text) == ("5.1.1", "no such user")
    assert str(reply) == "550 5.1.1 no such user"
    assert str(Reply.read(250, b"")) == "250"


@settings(max_examples=200)
@given(st.integers(-1, 50), st.integers(0, 3 * 86400 - 1), st.binary(max_size=16))
def test_waits_grow_with_bounded_jitter(attempt: int, seconds: int, seed: bytes) -> None:
    now = NOON + timedelta(seconds=seconds)
    again = retry_at(Stage.DOT, attempt, NOON, now, seed)
    assert again is not None
    assert again == retry_at(Stage.DOT, attempt, NOON, now, seed)
    minutes = {1: 1, 2: 5, 3: 15, 4: 60}.get(max(attempt, 1), 240)
    assert timedelta(minutes=minutes) <= again - now <= timedelta(minutes=minutes * 1.25)


def test_greylisting_gets_five_minutes_from_the_first_try_on() -> None:
    waits = [retry_at(Stage.RCPT, attempt, NOON, NOON, b"s") for attempt in (1, 2, 3, 4, 30)]
    for wait, minutes in zip(waits, (5, 15, 60, 240, 240), strict=True):
        assert wait is not None
        assert timedelta(minutes=minutes) <= wait - NOON <= timedelta(minutes=minutes * 1.25)


def test_different_letters_do_not_come_back_together() -> None:
    assert len({retry_at(Stage.MAIL, 2, NOON, NOON, b"%d" % letter) for letter in range(50)}) == 50


def test_after_three_days_nobody_tries_again() -> None:
    assert retry_at(Stage.DOT, 30, NOON, NOON + timedelta(days=3), b"s") is None


def test_giving_up_names_the_stage_that_failed() -> None:
    assert {stage: reason_after_giving_up(stage) for stage in Stage} == {
        Stage.CONNECT: FailureReason.SENDOUT_DISABLED,
        Stage.TLS: FailureReason.SENDOUT_DISABLED,
        Stage.AUTH: FailureReason.AUTH,
        Stage.MAIL: FailureReason.SENDOUT_LIMITED,
        Stage.RCPT: FailureReason.RECIPIENT_INVALID,
        Stage.DATA: FailureReason.UNKNOWN,
        Stage.DOT: FailureReason.UNKNOWN,
    }


def test_a_doubt_is_never_sent_again_by_the_machine() -> None:
    reachable = {DeliveryStatus.UNKNOWN}
    for _ in DeliveryStatus:
        reachable |= {after for status in reachable for after in TRANSITIONS[status]}
    assert reachable == {DeliveryStatus.UNKNOWN, DeliveryStatus.ACCEPTED, DeliveryStatus.REFUSED}


def test_nothing_is_accepted_without_passing_the_point_of_no_return() -> None:
    assert not may_become(DeliveryStatus.CLAIMED, DeliveryStatus.ACCEPTED)
    assert not may_become(DeliveryStatus.CLAIMED, DeliveryStatus.UNKNOWN)
    assert may_become(DeliveryStatus.TRANSMITTING, DeliveryStatus.ACCEPTED)


def test_a_definite_temporary_refusal_goes_back_to_the_queue() -> None:
    assert may_become(DeliveryStatus.TRANSMITTING, DeliveryStatus.QUEUED)
    assert may_become(DeliveryStatus.CLAIMED, DeliveryStatus.QUEUED)
    assert may_become(DeliveryStatus.CLAIMED, DeliveryStatus.REFUSED)


@given(ids, ids, st.integers(0, 36**3 - 1), st.integers(0, 36**3 - 1))
@settings(max_examples=200)
def test_a_message_id_names_its_delivery(account_id: int, enrollment_id: int, position: int, attempt: int) -> None:
    numbers = (account_id, enrollment_id, position, attempt)
    text = message_id(KEY, *numbers, "mail.seller.example")
    assert text == message_id(KEY, *numbers, "mail.seller.example")
    assert text.startswith("<")
    assert text.endswith("@mail.seller.example>")
    assert len(text.partition("@")[0]) <= 65
    assert read_message_id(KEY, text) == read_message_id(KEY, text[1:-1]) == numbers
    assert read_message_id(b"another key", text) is None


def test_a_message_id_that_was_changed_or_made_elsewhere_is_none_of_ours() -> None:
    genuine = message_id(KEY, 1, 2, 0, 1, "x.example")
    secret = genuine.partition("@")[0].rpartition(".")[2]
    strangers = [
        "",
        "<a@b>",
        f"<1.2.0.2.{secret}@x.example>",
        f"<01.2.0.1.{secret}@x.example>",
        f"<{'z' * 13}.2.0.1.{secret}@x.example>",
        genuine.replace("@", "@@"),
        genuine + "x" * 10_000,
        f"<{genuine}>",
        genuine.replace("x.example", "é"),
    ]
    assert [read_message_id(KEY, text) for text in strangers] == [None] * len(strangers)


@pytest.mark.parametrize("domain", ["", "a b", "a>\r\nBcc: x", "bücher.example", "-a", "a" * 254])
def test_a_message_id_needs_a_plain_domain(domain: str) -> None:
    with pytest.raises(ValueError, match="domain"):
        message_id(KEY, 1, 2, 3, 4, domain)
