"""Complaints, reports of success, receipts, newsletters and whatever else reaches a mailbox."""

from __future__ import annotations

from tests.corpus.message import OURS, SENT, Sample, mixed, plain, report

_DATE = "Date: Tue, 1 Dec 2026 09:00:05 +0000\nTo: sam@example.com"
_COPY = SENT.format(to="lena@example.net")


def _feedback(kind: str, *more: str, original: str = _COPY) -> bytes:
    fields = "\n".join((f"Feedback-Type: {kind}", "User-Agent: ExampleFBL/1.0", "Version: 1", *more))
    return mixed(
        f"From: Feedback loop <fbl@example.net>\nSubject: Email feedback report\n{_DATE}",
        ("text/plain", "This is an email abuse report for an email message received from IP 192.0.2.7."),
        ("message/feedback-report", fields + "\n"),
        ("message/rfc822", original),
        subtype="report; report-type=feedback-report",
    )


def _sent_report(action: str) -> bytes:
    return report(
        f"From: MAILER-DAEMON@example.net\nSubject: Delivery Status Notification (Success)\n{_DATE}",
        "Your message was successfully delivered to lena@example.net.",
        f"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; lena@example.net\nAction: {action}\nStatus: 2.0.0",
    )


COMPLAINTS = (
    Sample("abuse", _feedback("abuse", "Original-Rcpt-To: lena@example.net"), "complaint", None, "lena@example.net"),
    Sample("fraud", _feedback("fraud", "Original-Rcpt-To: <lena@example.net>"), "complaint", None, "lena@example.net"),
    Sample(
        "opt-out", _feedback("opt-out", "Removal-Recipient: lena@example.net"), "complaint", None, "lena@example.net"
    ),
    Sample(
        "redacted", _feedback("abuse", "Original-Rcpt-To: redacted", original=SENT.format(to="redacted")), "complaint"
    ),
    Sample("known by the copy alone", _feedback("abuse"), "complaint", None, "lena@example.net"),
    Sample(
        "hotmail's bare form",
        mixed(
            f"From: staff@hotmail.example\nSubject: complaint about message from 192.0.2.7\n{_DATE}",
            ("message/rfc822", "X-HmXmrOriginalRecipient: lena@example.net\n" + _COPY),
        ),
        "complaint",
        None,
        "lena@example.net",
    ),
)

UNRELATED = (
    Sample("not spam", _feedback("not-spam"), "unrelated"),
    Sample("authentication failed", _feedback("auth-failure"), "unrelated"),
    Sample("delivered", _sent_report("delivered"), "unrelated"),
    Sample("relayed", _sent_report("relayed"), "unrelated"),
    Sample("expanded", _sent_report("expanded"), "unrelated"),
    Sample(
        "read receipt",
        mixed(
            f"From: Lena Lamp <lena@example.net>\nSubject: Read: Lamps for your lobby\n{_DATE}\nIn-Reply-To: {OURS}",
            ("text/plain", "Your message was read on Tuesday."),
            (
                "message/disposition-notification",
                f"Final-Recipient: rfc822;lena@example.net\nOriginal-Message-ID: {OURS}\nDisposition: manual-action/MDN-sent-manually; displayed\n",
            ),
            subtype="report; report-type=disposition-notification",
        ),
        "unrelated",
    ),
    Sample(
        "deleted unread",
        mixed(
            f"From: Lena Lamp <lena@example.net>\nSubject: Not read: Lamps for your lobby\n{_DATE}",
            ("text/plain", "Your message was deleted without being read."),
            (
                "message/disposition-notification",
                "Final-Recipient: rfc822;lena@example.net\nDisposition: automatic-action/MDN-sent-automatically; deleted\n",
            ),
            subtype="report; report-type=disposition-notification",
        ),
        "unrelated",
    ),
    Sample(
        "newsletter",
        plain(
            f"From: News <news@example.org>\nSubject: Ten lamps you will love\n{_DATE}\nList-Unsubscribe: <https://example.org/u>\nPrecedence: bulk",
            "Ten lamps. Unsubscribe at https://example.org/u",
        ),
        "unrelated",
    ),
    Sample(
        "notification",
        plain(
            f"From: Calendar <noreply@example.org>\nSubject: Reminder: call Lena\n{_DATE}\nAuto-Submitted: auto-generated",
            "Your call starts in ten minutes.",
        ),
        "unrelated",
    ),
    Sample(
        "a stranger's first letter",
        plain(
            f"From: Max <max@example.org>\nSubject: Question about lamps\n{_DATE}", "Hello, do you have green lamps?"
        ),
        "unrelated",
    ),
    Sample(
        "a new mail on a list",
        plain(
            f"From: Max <max@example.org>\nSubject: [team] Meeting\n{_DATE}\nList-Id: <team.example.org>\nPrecedence: list",
            "Meeting at ten.",
        ),
        "unrelated",
    ),
    Sample(
        "dmarc report",
        mixed(
            f"From: dmarc@example.org\nSubject: Report Domain: example.com Submitter: example.org\n{_DATE}",
            ("text/plain", "This is a DMARC aggregate report."),
            ("application/gzip", "H4sI"),
        ),
        "unrelated",
    ),
    Sample(
        "our own copy",
        plain(
            f"From: Sam Seller <sam@example.com>\nTo: lena@example.net\nSubject: Lamps for your lobby\nMessage-ID: {OURS}\nDate: Tue, 1 Dec 2026 09:00:00 +0000",
            "Hi Lena, may I show you our lamps?",
        ),
        "unrelated",
    ),
    Sample(
        "an invitation",
        plain(f"From: Max <max@example.org>\nSubject: Invitation: lamps @ Thu 3 Dec\n{_DATE}", "You are invited."),
        "unrelated",
    ),
    Sample(
        "a shop's delivery",
        plain(
            f"From: Shop <orders@example.org>\nSubject: Your delivery was successful\n{_DATE}",
            "Your parcel was delivered.",
        ),
        "unrelated",
    ),
    Sample(
        "a cron job",
        plain(
            f"From: root@example.org\nSubject: Cron <root@host> backup failed\n{_DATE}\nAuto-Submitted: auto-generated",
            "disk full",
        ),
        "unrelated",
    ),
    Sample("nothing at all", b"", "unrelated"),
    Sample("no message", b"\x00\xff\xfe binary\r\n\r\n\x80", "unrelated"),
)

SAMPLES = (*COMPLAINTS, *UNRELATED)
