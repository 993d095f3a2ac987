"""What providers tell, in the shapes of their published documents, and the one vocabulary it becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumbeat.domain.told import Told, ToldKind
from drumbeat.mail.provider_events import read_events
from drumbeat.mail.session import Provider

TAG = "1-2-0-1-abc"
OURS = "<1.2.0.1.abc@drumbeat>"


def postmark(record: str, **more: Any) -> dict[str, Any]:
    return {"RecordType": record, "MessageID": "0a12", "Metadata": {"drumbeat": TAG}, **more}


def mailgun(event: str, **more: Any) -> dict[str, Any]:
    told = {"event": event, "id": "e1", "recipient": "ada@example.com", "user-variables": {"drumbeat": TAG}, **more}
    return {"signature": {}, "event-data": told}


def sendgrid(event: str, **more: Any) -> list[dict[str, Any]]:
    return [{"email": "ada@example.com", "event": event, "sg_event_id": "e1", "drumbeat": TAG, **more}]


def ses(event: str, **more: Any) -> dict[str, Any]:
    told = {"eventType": event, "mail": {"tags": {"drumbeat": [TAG]}, "destination": ["ada@example.com"]}, **more}
    return {"Type": "Notification", "MessageId": "e1", "Message": json.dumps(told)}


def resend(event: str, **more: Any) -> dict[str, Any]:
    return {"type": event, "data": {"email_id": "5", "to": ["ada@example.com"], "tags": {"drumbeat": TAG}, **more}}


def read(provider: Provider, sent: Any) -> Told:
    (told,) = read_events(provider, json.dumps(sent).encode(), "request-1")
    return told


ADA = {"emailAddress": "ada@example.com", "diagnosticCode": "smtp; 550 5.1.1 no such user"}
CASES: list[tuple[Provider, Any, ToldKind, bool | None]] = [
    (Provider.POSTMARK, postmark("Delivery", Recipient="ada@example.com"), ToldKind.DELIVERED, None),
    (Provider.POSTMARK, postmark("Bounce", ID=1, Type="HardBounce", Email="ada@example.com"), ToldKind.BOUNCED, True),
    (Provider.POSTMARK, postmark("Bounce", ID=2, Type="SoftBounce", Email="ada@example.com"), ToldKind.BOUNCED, False),
    (Provider.POSTMARK, postmark("Bounce", ID=3, Type="AutoResponder", Email="ada@example.com"), ToldKind.OTHER, None),
    (Provider.POSTMARK, postmark("SpamComplaint", ID=4, Email="ada@example.com"), ToldKind.COMPLAINED, None),
    (Provider.POSTMARK, postmark("Open", Recipient="ada@example.com"), ToldKind.OTHER, None),
    (
        Provider.POSTMARK,
        postmark(
            "SubscriptionChange",
            Recipient="ada@example.com",
            SuppressSending=True,
            SuppressionReason="ManualSuppression",
            Origin="Recipient",
        ),
        ToldKind.UNSUBSCRIBED,
        None,
    ),
    (Provider.MAILGUN, mailgun("delivered"), ToldKind.DELIVERED, None),
    (Provider.MAILGUN, mailgun("failed", severity="temporary", reason="generic"), ToldKind.DEFERRED, None),
    (Provider.MAILGUN, mailgun("failed", severity="permanent", reason="bounce"), ToldKind.BOUNCED, True),
    (Provider.MAILGUN, mailgun("failed", severity="permanent", reason="suppress-complaint"), ToldKind.BOUNCED, False),
    (Provider.MAILGUN, mailgun("complained"), ToldKind.COMPLAINED, None),
    (Provider.MAILGUN, mailgun("unsubscribed"), ToldKind.UNSUBSCRIBED, None),
    (Provider.MAILGUN, mailgun("opened"), ToldKind.OTHER, None),
    (Provider.SENDGRID, sendgrid("delivered"), ToldKind.DELIVERED, None),
    (Provider.SENDGRID, sendgrid("deferred"), ToldKind.DEFERRED, None),
    (Provider.SENDGRID, sendgrid("bounce", type="bounce", status="5.1.1"), ToldKind.BOUNCED, True),
    (Provider.SENDGRID, sendgrid("bounce", type="blocked", status="5.7.1"), ToldKind.BOUNCED, False),
    (Provider.SENDGRID, sendgrid("dropped", reason="Bounced Address"), ToldKind.BOUNCED, True),
    (Provider.SENDGRID, sendgrid("dropped", reason="Unsubscribed Address"), ToldKind.BOUNCED, False),
    (Provider.SENDGRID, sendgrid("spamreport"), ToldKind.COMPLAINED, None),
    (Provider.SENDGRID, sendgrid("group_unsubscribe"), ToldKind.UNSUBSCRIBED, None),
    (Provider.SENDGRID, sendgrid("processed"), ToldKind.OTHER, None),
    (Provider.SES, ses("Delivery"), ToldKind.DELIVERED, None),
    (Provider.SES, ses("DeliveryDelay"), ToldKind.DEFERRED, None),
    (
        Provider.SES,
        ses("Bounce", bounce={"bounceType": "Permanent", "bouncedRecipients": [ADA]}),
        ToldKind.BOUNCED,
        True,
    ),
    (
        Provider.SES,
        ses("Bounce", bounce={"bounceType": "Transient", "bouncedRecipients": [ADA]}),
        ToldKind.BOUNCED,
        False,
    ),
    (Provider.SES, ses("Complaint", complaint={"complainedRecipients": [ADA]}), ToldKind.COMPLAINED, None),
    (Provider.SES, ses("Complaint", complaint={"complaintFeedbackType": "not-spam"}), ToldKind.OTHER, None),
    (Provider.SES, ses("Reject"), ToldKind.BOUNCED, False),
    (Provider.SES, ses("Subscription"), ToldKind.UNSUBSCRIBED, None),
    (Provider.SES, ses("Click"), ToldKind.OTHER, None),
    (Provider.RESEND, resend("email.delivered"), ToldKind.DELIVERED, None),
    (Provider.RESEND, resend("email.delivery_delayed"), ToldKind.DEFERRED, None),
    (Provider.RESEND, resend("email.bounced", bounce={"type": "Permanent", "message": "no"}), ToldKind.BOUNCED, True),
    (Provider.RESEND, resend("email.bounced", bounce={"type": "Transient"}), ToldKind.BOUNCED, False),
    (Provider.RESEND, resend("email.suppressed"), ToldKind.BOUNCED, False),
    (Provider.RESEND, resend("email.complained"), ToldKind.COMPLAINED, None),
    (Provider.RESEND, resend("email.sent"), ToldKind.OTHER, None),
]


@pytest.mark.parametrize(("provider", "sent", "kind", "permanent"), CASES)
def test_each_event_is_read_as_what_it_is(
    provider: Provider, sent: Any, kind: ToldKind, permanent: bool | None
) -> None:
    told = read(provider, sent)
    assert (told.kind, told.permanent, told.message_id) == (kind, permanent, OURS)
    assert told.recipient == "ada@example.com"
    assert told.id
    assert told.why


def test_tags_may_come_as_a_list() -> None:
    assert read(Provider.RESEND, resend("email.sent", tags=[{"name": "drumbeat", "value": TAG}])).message_id == OURS


def test_sendgrid_tells_of_many_at_once() -> None:
    both = json.dumps(sendgrid("delivered") + sendgrid("bounce", sg_event_id="e2")).encode()
    assert [told.id for told in read_events(Provider.SENDGRID, both, "request-1")] == ["e1", "e2"]


def test_an_event_about_another_letter_names_none_of_ours() -> None:
    assert read(Provider.POSTMARK, {"RecordType": "Delivery", "Metadata": {}}).message_id is None


def test_what_is_no_json_is_refused() -> None:
    for body in (b"<xml/>", b"[" * 400_000):
        with pytest.raises(ValueError, match="not JSON"):
            read_events(Provider.RESEND, body, "request-1")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "tags", "event-data", "event", "Message", "mail", "bounce", "Type", "RecordType", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(provider=st.sampled_from(Provider), sent=anything)
def test_whatever_json_comes_something_is_read(provider: Provider, sent: Any) -> None:
    for told in read_events(provider, json.dumps(sent).encode(), "request-1"):
        assert isinstance(told.why, str)
