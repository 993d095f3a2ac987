"""Letters handed to providers over HTTP; the providers are fakes made from their published documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from drumbeat.domain.delivery import FailureReason, Kind, Outcome, Scope, Stage, read_outcome
from drumbeat.mail.aws import signed
from drumbeat.mail.courier import Courier, check_provider
from drumbeat.mail.line import Envelope
from drumbeat.mail.providers import message_id_of, read_refusal
from drumbeat.mail.session import Provider, Security, Server
from drumbeat.testing.providers import FakeProvider
from tests.mail.desk import Desk
from tests.mail.test_compose import BOTH, LETTER, URL

LETTERS = [structs.replace(LETTER, message_id=f"<1.{number}.0.1.abc@seller.example>") for number in range(1, 6)]
REWRITES = {Provider.SES, Provider.RESEND}


def envelope(number: int = 1, **changes: Any) -> Envelope:
    letter = structs.replace(LETTERS[number - 1], **changes)
    return Envelope(number, letter.sender_email, letter.recipient_email, BOTH.fill(letter))


@pytest.fixture(params=list(Provider))
def fake(request: pytest.FixtureRequest) -> Iterator[FakeProvider]:
    with FakeProvider(request.param) as up:
        yield up


@pytest.fixture
def resend() -> Iterator[FakeProvider]:
    with FakeProvider(Provider.RESEND) as up:
        yield up


@pytest.fixture
def postmark() -> Iterator[FakeProvider]:
    with FakeProvider(Provider.POSTMARK) as up:
        yield up


def deliver(fake: FakeProvider, *letters: Envelope, server: Server | None = None, connections: int = 1) -> Desk:
    desk = Desk(letters or [envelope()])
    courier = Courier(server or fake.server(connections=connections), sleep=lambda _: None)
    courier.deliver(desk.take, desk.commit)
    courier.close()
    return desk


def outcome_of(fake: FakeProvider, status: int, answer: Any) -> Outcome:
    fake.script.answer = status, answer
    (outcome,) = deliver(fake).told
    return outcome


def test_a_provider_takes_the_whole_letter_with_the_way_out_in_its_headers(fake: FakeProvider) -> None:
    desk = deliver(fake)
    (taken,) = fake.letters
    assert [read_outcome(each).kind for each in desk.told] == [Kind.ACCEPTED]
    assert (taken.sender.split(" <")[0], taken.sender[12:-1]) == ("Sam Seller", "sam@seller.example")
    assert "ada@buyer.example" in taken.recipient
    assert (taken.subject, taken.text.strip(), (taken.html or "").strip()) == (
        "Quick question",
        "Hi Ada",
        "<p>Hi Ada</p>",
    )
    assert URL in taken.headers["list-unsubscribe"]
    assert taken.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert message_id_of(taken.tag) == "<1.1.0.1.abc@drumbeat>"


def test_who_answers_names_our_message_id_also_where_the_provider_puts_another_in_its_place(fake: FakeProvider) -> None:
    before = "<1.1.0.1.abc@seller.example>"
    deliver(fake, envelope(2, in_reply_to=before, references=(before,)))
    (taken,) = fake.letters
    ours = "<1.2.0.1.abc@seller.example>"
    references = taken.headers["references"].split()
    assert references == ([before, ours] if fake.provider in REWRITES else [before])
    assert taken.headers["in-reply-to"] == before
    assert fake.provider in REWRITES or taken.headers["message-id"] == ours


def test_what_looks_like_a_header_in_the_text_stays_there(fake: FakeProvider) -> None:
    deliver(fake, envelope(text="References: the list of ours\nSubject: none\n", html="<p>x</p>"))
    (taken,) = fake.letters
    assert taken.text.splitlines()[:2] == ["References: the list of ours", "Subject: none"]
    assert taken.headers.get("references", "") in ("", "<1.1.0.1.abc@seller.example>")


def test_a_letter_may_be_of_any_language_and_length(fake: FakeProvider) -> None:
    long = "Žluťoučký kůň – příliš ďábelské ódy\n\n" * 200
    deliver(fake, envelope(subject="Grüße aus Köln ☕", text=long, recipient_name="Łukasz"))
    (taken,) = fake.letters
    assert taken.subject == "Grüße aus Köln ☕"
    assert taken.text.split() == long.split()


def test_several_letters_are_handed_over_at_once_and_each_keeps_its_own_answer(fake: FakeProvider) -> None:
    fake.script.waits = 0.05
    desk = deliver(fake, *map(envelope, range(1, 6)), connections=3)
    assert sorted(outcome.key for outcome in desk.told if isinstance(outcome.key, int)) == [1, 2, 3, 4, 5]
    assert len({taken.tag for taken in fake.letters}) == 5
    assert 1 < fake.most_at_once <= 3


def test_a_letter_stopped_at_its_point_of_no_return_is_never_asked_for(fake: FakeProvider) -> None:
    desk = Desk([envelope(1), envelope(2)], grants=lambda key: key != 1)
    Courier(fake.server(connections=2)).deliver(desk.take, desk.commit)
    assert [message_id_of(taken.tag)[:5] for taken in fake.letters] == ["<1.2."]
    assert [outcome.key for outcome in desk.told] == [2]


def test_a_commit_that_fails_leaves_its_letters_unsent_and_is_made_good_next_time(postmark: FakeProvider) -> None:
    desk, courier = Desk([envelope()]), Courier(postmark.server())

    def fails(outcomes: object, ready: object) -> frozenset[object]:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        courier.deliver(desk.take, fails)  # type: ignore[arg-type]
    assert postmark.letters == []
    courier.deliver(desk.take, desk.commit)
    (outcome,) = desk.told
    assert (outcome.stage, outcome.error) == (Stage.DATA, "not sent: the database was away")


def test_a_wrong_key_holds_the_mailbox_as_a_refused_login_does(fake: FakeProvider) -> None:
    wrong = replace(fake.server(), password="wrong", username="nobody")
    (outcome,) = deliver(fake, server=wrong).told
    verdict = read_outcome(outcome)
    assert (verdict.kind, verdict.reason, verdict.scope) == (Kind.REFUSED, FailureReason.AUTH, Scope.MAILBOX)
    assert (check_provider(wrong).trouble or "").startswith("auth: 535")
    assert check_provider(fake.server()).trouble is None


@pytest.mark.parametrize(
    ("provider", "status", "said"),
    [
        (Provider.SES, 403, {"message": "User x is not authorized to perform ses:GetAccount"}),
        (Provider.RESEND, 401, {"name": "restricted_api_key", "message": "This key may only send"}),
    ],
)
def test_a_key_that_may_do_nothing_but_send_is_a_good_one(provider: Provider, status: int, said: Any) -> None:
    with FakeProvider(provider) as fake:
        fake.script.answer = status, said
        assert check_provider(fake.server()).trouble is None


def test_no_answer_leaves_a_doubt_where_the_provider_would_not_know_the_letter_again(postmark: FakeProvider) -> None:
    postmark.script.hangs_up = 1
    (outcome,) = deliver(postmark).told
    assert read_outcome(outcome).kind is Kind.IN_DOUBT
    assert len(postmark.letters) == 1


def test_with_an_idempotency_key_the_same_letter_is_asked_for_again_and_taken_once(resend: FakeProvider) -> None:
    resend.script.hangs_up = 2
    (outcome,) = deliver(resend).told
    assert read_outcome(outcome).kind is Kind.ACCEPTED
    assert (resend.requests, len(resend.letters)) == (3, 1)


def test_a_request_still_at_work_is_waited_for(resend: FakeProvider) -> None:
    resend.script.answers = [(409, {"name": "concurrent_idempotent_requests"}), (500, {})]
    (outcome,) = deliver(resend).told
    assert read_outcome(outcome).kind is Kind.ACCEPTED
    assert len(resend.letters) == 1


def test_after_three_tries_a_doubt_stays_a_doubt(resend: FakeProvider) -> None:
    resend.script.hangs_up = 9
    (outcome,) = deliver(resend).told
    assert read_outcome(outcome).kind is Kind.IN_DOUBT
    assert resend.requests == 3


@pytest.mark.parametrize("status", [500, 502, 504, 301])
def test_an_answer_that_does_not_tell_is_a_doubt(postmark: FakeProvider, status: int) -> None:
    assert read_outcome(outcome_of(postmark, status, {})).kind is Kind.IN_DOUBT


def test_a_provider_that_says_it_is_unavailable_took_nothing(fake: FakeProvider) -> None:
    assert read_outcome(outcome_of(fake, 503, {"message": "down"})).kind is Kind.RETRY


def test_a_provider_that_cannot_be_reached_took_nothing() -> None:
    with FakeProvider(Provider.POSTMARK) as gone:
        server = gone.server()
    desk = Desk([envelope()])
    Courier(server).deliver(desk.take, desk.commit)
    (outcome,) = desk.told
    assert outcome.stage is Stage.CONNECT
    assert read_outcome(outcome).kind is Kind.RETRY
    assert (check_provider(server).trouble or "").startswith("connect:")


def test_a_slow_down_is_waited_out_and_held_only_when_repeated(fake: FakeProvider) -> None:
    verdict = read_outcome(outcome_of(fake, 429, {"message": "Too many requests"}))
    assert (verdict.kind, verdict.scope) == (Kind.RETRY, Scope.MAILBOX)
    assert verdict.if_repeated is FailureReason.SENDOUT_LIMITED


@pytest.mark.parametrize(
    ("provider", "status", "said", "reason"),
    [
        (
            Provider.POSTMARK,
            422,
            b'{"ErrorCode": 406, "Message": "Inactive recipient"}',
            FailureReason.RECIPIENT_INVALID,
        ),
        (Provider.POSTMARK, 422, b'{"ErrorCode":400,"Message":"Sender signature not found"}', FailureReason.AUTH),
        (Provider.POSTMARK, 422, b'{"ErrorCode":405,"Message":"Not allowed to send"}', FailureReason.SENDOUT_LIMITED),
        (Provider.POSTMARK, 422, b'{"ErrorCode":300,"Message":"Invalid email request"}', FailureReason.UNKNOWN),
        (
            Provider.MAILGUN,
            400,
            b'{"message": "\'to\' parameter is not a valid address"}',
            FailureReason.RECIPIENT_INVALID,
        ),
        (Provider.MAILGUN, 404, b'{"message": "Domain not found: tea.example"}', FailureReason.AUTH),
        (Provider.SENDGRID, 401, b'{"errors":[{"message":"Maximum credits exceeded"}]}', FailureReason.SENDOUT_LIMITED),
        (
            Provider.SENDGRID,
            403,
            b'{"errors":[{"message":"The from address does not match a verified Sender Identity."}]}',
            FailureReason.AUTH,
        ),
        (
            Provider.SENDGRID,
            400,
            b'{"errors":[{"message":"Does not contain a valid address.","field":"personalizations.0.to.0.email"}]}',
            FailureReason.RECIPIENT_INVALID,
        ),
        (Provider.SES, 400, b'{"message":"Email address is not verified."}', FailureReason.AUTH),
        (Provider.SES, 429, b'{"message":"Daily message quota exceeded."}', FailureReason.SENDOUT_LIMITED),
        (
            Provider.SES,
            400,
            b'{"message":"Account paused","__type":"SendingPausedException"}',
            FailureReason.SENDOUT_LIMITED,
        ),
        (Provider.RESEND, 429, b'{"name":"monthly_quota_exceeded"}', FailureReason.SENDOUT_LIMITED),
        (
            Provider.RESEND,
            422,
            b'{"name":"validation_error","message":"Invalid `to` field."}',
            FailureReason.RECIPIENT_INVALID,
        ),
        (Provider.RESEND, 403, b'{"message":"The tea.example domain is not verified."}', FailureReason.AUTH),
        (Provider.RESEND, 413, b"{}", FailureReason.ATTACHMENT_LIMIT_EXCEEDED),
    ],
)
def test_each_refusal_has_its_reason(provider: Provider, status: int, said: bytes, reason: FailureReason) -> None:
    verdict = read_outcome(Outcome(1, Stage.DOT, read_refusal(provider, status, said)))
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, reason)
    assert provider.value in verdict.detail


def test_an_endless_answer_is_read_only_so_far(postmark: FakeProvider) -> None:
    outcome = outcome_of(postmark, 422, b"x" * 3_000_000)
    assert outcome.reply is not None
    assert len(outcome.reply.text) <= 500


def test_requests_to_amazon_are_signed_as_its_own_test_suite_says() -> None:
    headers = signed(
        "GET",
        "/",
        b"",
        {},
        host="example.amazonaws.com",
        region="us-east-1",
        api="service",
        access_key="AKIDEXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert headers["Authorization"].endswith(
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_a_key_never_shows_in_what_is_printed_of_a_server() -> None:
    server = Server("api.example", 443, Security.TLS, password="hush", provider=Provider.POSTMARK)
    assert "hush" not in repr(server)
