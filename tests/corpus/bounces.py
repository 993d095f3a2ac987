"""Bounces and delays, as the usual servers and providers tell them."""

from __future__ import annotations

from tests.corpus.message import SENT, Sample, mixed, plain, report

_DATE = "Date: Tue, 1 Dec 2026 09:00:05 +0000\nTo: sam@example.com"
_LENA = "lena@example.net"


def _from(sender: str, subject: str, *more: str) -> str:
    return "\n".join((f"From: {sender}", f"Subject: {subject}", _DATE, *more))


def _postfix(said: str, status: str, action: str = "failed", diagnostic: str | None = None) -> bytes:
    delayed = action == "delayed"
    subject = "Delayed Mail (still being retried)" if delayed else "Undelivered Mail Returned to Sender"
    body = f"""This is the mail system at host mail.example.com.

{"####################################################################" if delayed else ""}
I'm sorry to have to inform you that your message could not
be {"delivered yet. It will be retried until it is 5 days old." if delayed else "delivered to one or more recipients. It's attached below."}

For further assistance, please send mail to postmaster.

                   The mail system

<lena@example.net>: {said}"""
    groups = f"""Reporting-MTA: dns; mail.example.com
X-Postfix-Queue-ID: 4T2xyz
Arrival-Date: Tue,  1 Dec 2026 09:00:00 +0000 (UTC)

Final-Recipient: rfc822; lena@example.net
Original-Recipient: rfc822;lena@example.net
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.net
Diagnostic-Code: {diagnostic or f"smtp; {said}"}"""
    daemon = _from("MAILER-DAEMON@mail.example.com (Mail Delivery System)", subject, "Auto-Submitted: auto-replied")
    return report(daemon, body, groups)


def _exchange(
    subject: str, body: str, status: str, diagnostic: str, *, sender: str = "postmaster@example.net"
) -> bytes:
    groups = f"""Reporting-MTA: dns;EX01.example.net
Received-From-MTA: dns;mail.example.com
Arrival-Date: Tue, 1 Dec 2026 09:00:01 +0000

Final-Recipient: rfc822;lena@example.net
Action: failed
Status: {status}
Diagnostic-Code: smtp;{diagnostic}"""
    return report(_from(f"Microsoft Outlook <{sender}>", subject, "X-MS-Exchange-Message-Is-Ndr:"), body, groups)


def _dsn(sender: str, subject: str, body: str, *fields: str, to: str = _LENA) -> bytes:
    return report(_from(sender, subject), body, "Reporting-MTA: dns; mx.example.net\n\n" + "\n".join(fields), to=to)


def _gone(name: str, raw: bytes, recipient: str | None = _LENA) -> Sample:
    return Sample(name, raw, "bounce", True, recipient)


def _passing(name: str, raw: bytes, recipient: str | None = _LENA) -> Sample:
    return Sample(name, raw, "bounce", False, recipient)


_COPY = SENT.format(to=_LENA)

REPORTED = (
    _gone(
        "postfix, no such user",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 550 5.1.1 <lena@example.net>: Recipient address rejected: User unknown in local recipient table (in reply to RCPT TO command)",
            "5.1.1",
        ),
    ),
    _gone(
        "postfix, no such host",
        _postfix(
            "Host or domain name not found. Name service error for name=example.net type=MX: Host not found",
            "5.4.4",
            diagnostic="X-Postfix; Host or domain name not found. Name service error for name=example.net type=MX: Host not found",
        ),
    ),
    _gone(
        "postfix, null mx",
        _postfix(
            "Domain example.net does not accept mail (nullMX)",
            "5.1.0",
            diagnostic="X-Postfix; Domain example.net does not accept mail (nullMX)",
        ),
    ),
    _gone(
        "postfix, a bare 550",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 550 Requested action not taken: mailbox unavailable (in reply to RCPT TO command)",
            "5.0.0",
        ),
    ),
    _gone(
        "postfix, unknown user in the maildir",
        _postfix('unknown user: "lena"', "5.1.1", diagnostic='X-Postfix; unknown user: "lena"'),
    ),
    _passing(
        "postfix, mailbox full",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 552 5.2.2 <lena@example.net>: Mailbox is full (in reply to RCPT TO command)",
            "5.2.2",
        ),
    ),
    _passing(
        "postfix, blocked by a list",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org (in reply to RCPT TO command)",
            "5.7.1",
        ),
    ),
    _passing(
        "postfix, spam by content",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 554 5.7.1 Message rejected as spam by Content Filtering. (in reply to end of DATA command)",
            "5.7.1",
        ),
    ),
    _passing(
        "postfix, too large",
        _postfix("message size 41943040 exceeds size limit 26214400 of server mx.example.net[192.0.2.9]", "5.3.4"),
    ),
    _passing(
        "postfix, loops",
        _postfix(
            "mail for example.net loops back to myself",
            "5.4.6",
            diagnostic="X-Postfix; mail for example.net loops back to myself",
        ),
    ),
    _passing(
        "postfix, gave up on timeouts",
        _postfix(
            "connect to mx.example.net[192.0.2.9]:25: Connection timed out",
            "4.4.1",
            diagnostic="X-Postfix; connect to mx.example.net[192.0.2.9]:25: Connection timed out",
        ),
    ),
    _passing(
        "postfix, delayed",
        _postfix("connect to mx.example.net[192.0.2.9]:25: Connection refused", "4.4.1", action="delayed"),
    ),
    _passing(
        "postfix, greylisted for long",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 450 4.2.0 <lena@example.net>: Recipient address rejected: Greylisted (in reply to RCPT TO command)",
            "4.2.0",
            action="delayed",
        ),
    ),
    _passing(
        "postfix, a temporary code outranks the words",
        _postfix(
            "host mx.example.net[192.0.2.9] said: 450 4.1.1 <lena@example.net>: Recipient address rejected: unverified address",
            "4.1.1",
        ),
    ),
    _gone(
        "exchange online, not found",
        _exchange(
            "Undeliverable: Lamps for your lobby",
            "Your message to lena@example.net couldn't be delivered.\n\nlena wasn't found at example.net.\n\nsam    Office 365    lena\nAction Required        Recipient\nUnknown To address",
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient lena@example.net not found by SMTP address lookup",
        ),
    ),
    _gone(
        "exchange online, edge blocking",
        _exchange(
            "Undeliverable: Lamps for your lobby",
            "mx.example.net rejected your message to the following email addresses:\n\nlena@example.net\nThe address you sent your message to wasn't found at the destination domain.",
            "5.4.1",
            "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [DB5EUR01FT001.eop-EUR01.prod.protection.outlook.com]",
        ),
    ),
    _passing(
        "exchange online, restricted group",
        _exchange(
            "Undeliverable: Lamps for your lobby",
            "Your message to lena@example.net couldn't be delivered.\nYou don't have permission to send to this recipient.",
            "5.7.124",
            "550 5.7.124 RESOLVER.RST.SenderNotInAllowedList; sender not in allowed-senders list of group",
        ),
    ),
    _passing(
        "exchange online, transport rule",
        _exchange(
            "Undeliverable: Lamps",
            "Delivery has failed to these recipients or groups:\n\nlena@example.net\nA custom rule created by an admin at example.net has blocked your message.",
            "5.7.1",
            "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy",
        ),
    ),
    _passing(
        "exchange, full in german",
        _exchange(
            "Unzustellbar: Lampen",
            "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nlena@example.net\nDas Postfach des Empfängers ist voll und kann zurzeit keine Nachrichten annehmen.",
            "5.2.2",
            "554 5.2.2 STOREDRV.Deliver.Exception:QuotaExceededException; mailbox full",
        ),
    ),
    _gone(
        "exchange, unknown in german",
        _exchange(
            "Unzustellbar: Lampen",
            "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nlena@example.net\nDie eingegebene E-Mail-Adresse konnte nicht gefunden werden.",
            "5.1.1",
            "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found",
        ),
    ),
    _gone(
        "exchange, unknown in french",
        _exchange(
            "Non remis : Lampes",
            "Échec de la remise pour ces destinataires ou groupes :\n\nlena@example.net\nL'adresse de messagerie que vous avez entrée est introuvable.",
            "5.1.1",
            "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found",
        ),
    ),
    _gone(
        "exchange, unknown in spanish",
        _exchange(
            "No se puede entregar: Lámparas",
            "Error de entrega a estos destinatarios o grupos:\n\nlena@example.net\nNo se encontró la dirección de correo electrónico.",
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        ),
    ),
    _gone(
        "exchange, unknown in portuguese",
        _exchange(
            "Não entregue: Luminárias",
            "Falha na entrega para estes destinatários ou grupos:\n\nlena@example.net\nO endereço de email não foi encontrado.",
            "5.1.1",
            "550 5.1.1 User unknown",
        ),
    ),
    _gone(
        "exchange, unknown in japanese",
        _exchange(
            "配信不能: ランプ",
            "lena@example.net へのメッセージを配信できませんでした。\n受信者が見つかりません。",
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found",
        ),
    ),
    _passing(
        "exchange, gave up after two days",
        _exchange(
            "Undeliverable: Lamps",
            "Delivery has failed to these recipients or groups:\n\nlena@example.net\nSeveral attempts to deliver your message were unsuccessful and we stopped trying.",
            "4.4.7",
            "550 4.4.7 QUEUE.Expired; message expired",
        ),
    ),
    _gone(
        "exchange 2003",
        _dsn(
            "System Administrator <postmaster@example.net>",
            "Undeliverable: Lamps",
            "Your message did not reach some or all of the intended recipients.\n\nThe following recipient(s) could not be reached:\n\n      lena@example.net on 01.12.2026 10:00\n            The e-mail account does not exist at the organization this message was sent to.\n            <ex01.example.net #5.1.1>",
            "Final-Recipient: RFC822;lena@example.net",
            "Action: failed",
            "Status: 5.1.1",
            "X-Display-Name: Lena Lamp",
        ),
    ),
    _gone(
        "gmail, address not found",
        report(
            _from(
                "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
                "Delivery Status Notification (Failure)",
                "X-Failed-Recipients: lena@example.net",
                "Auto-Submitted: auto-replied",
            ),
            "** Address not found **\n\nYour message wasn't delivered to lena@example.net because the address couldn't be found, or is unable to receive mail.\n\nThe response was:\n\nThe email account that you tried to reach does not exist.",
            "Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; lena@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n 550-5.1.1 double-checking the recipient's email address for typos or\n 550 5.1.1 unnecessary spaces.",
        ),
    ),
    _passing(
        "gmail, out of storage",
        report(
            _from(
                "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
                "Delivery Status Notification (Failure)",
                "X-Failed-Recipients: lena@example.net",
            ),
            "** Recipient inbox full **\n\nYour message couldn't be delivered to lena@example.net. Their inbox is full, or it's getting too much mail right now.",
            "Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; lena@example.net\nAction: failed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452-4.2.2 The recipient's inbox is out of storage space.",
        ),
    ),
    _passing(
        "gmail, message blocked",
        report(
            _from("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)"),
            "** Message blocked **\n\nYour message to lena@example.net has been blocked. See technical details below for more information.",
            "Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; lena@example.net\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550-5.7.1 Our system has detected that this message is likely unsolicited mail.",
        ),
    ),
    _passing(
        "gmail, delayed",
        report(
            _from("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Delay)"),
            "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to lena@example.net. Gmail will retry for 45 more hours. You'll be notified if the delivery fails permanently.",
            "Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; lena@example.net\nAction: delayed\nStatus: 4.4.1",
        ),
    ),
    _gone(
        "gmail, domain not found",
        report(
            _from("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)"),
            "** Address not found **\n\nYour message wasn't delivered to lena@example.net because the domain example.net couldn't be found.",
            "Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; lena@example.net\nAction: failed\nStatus: 4.0.0\nDiagnostic-Code: smtp; DNS Error: DNS type 'mx' lookup of example.net responded with code NXDOMAIN Domain name not found: example.net",
        ).replace(b"Status: 4.0.0", b"Status: 5.0.0"),
    ),
    _gone(
        "sendmail",
        _dsn(
            "Mail Delivery Subsystem <MAILER-DAEMON@example.net>",
            "Returned mail: see transcript for details",
            "   ----- The following addresses had permanent fatal errors -----\n<lena@example.net>\n    (reason: 550 5.1.1 <lena@example.net>... User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.example.net.:\n>>> DATA\n<<< 550 5.1.1 <lena@example.net>... User unknown\n550 5.1.1 <lena@example.net>... User unknown\n<<< 503 5.0.0 Need RCPT (recipient)",
            "Final-Recipient: RFC822; lena@example.net",
            "Action: failed",
            "Status: 5.1.1",
            "Remote-MTA: DNS; mx.example.net",
            "Diagnostic-Code: SMTP; 550 5.1.1 <lena@example.net>... User unknown",
        ),
    ),
    _passing(
        "sendmail, warning",
        _dsn(
            "Mail Delivery Subsystem <MAILER-DAEMON@example.net>",
            "Warning: could not send message for past 4 hours",
            "    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************\n\n   ----- The following addresses had transient non-fatal errors -----\n<lena@example.net>",
            "Final-Recipient: RFC822; lena@example.net",
            "Action: delayed",
            "Status: 4.4.2",
            "Diagnostic-Code: SMTP; 421 mx.example.net timeout",
        ),
    ),
    _gone(
        "sendmail, host unknown",
        _dsn(
            "Mail Delivery Subsystem <MAILER-DAEMON@example.com>",
            "Returned mail: Host unknown (Name server: example.net: host not found)",
            "   ----- The following addresses had permanent fatal errors -----\n<lena@example.net>\n    (reason: 550 Host unknown)",
            "Final-Recipient: RFC822; lena@example.net",
            "Action: failed",
            "Status: 5.1.2",
            "Remote-MTA: DNS; example.net",
        ),
    ),
    _gone(
        "exim with a report",
        _dsn(
            "Mail Delivery System <Mailer-Daemon@example.com>",
            "Mail delivery failed: returning message to sender",
            "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  lena@example.net\n    host mx.example.net [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<lena@example.net>:\n    550 No Such User Here",
            "Action: failed",
            "Final-Recipient: rfc822;lena@example.net",
            "Status: 5.0.0",
            "Remote-MTA: dns; mx.example.net",
            "Diagnostic-Code: smtp; 550 No Such User Here",
        ),
    ),
    _gone(
        "ses",
        _dsn(
            "MAILER-DAEMON@amazonses.com",
            "Delivery Status Notification (Failure)",
            "An error occurred while trying to deliver the mail to the following recipients:\nlena@example.net",
            "Final-Recipient: rfc822;lena@example.net",
            "Action: failed",
            "Status: 5.1.1",
            "Diagnostic-Code: smtp; 550 5.1.1 user unknown",
        ),
    ),
    _passing(
        "ses, suppressed by throttling",
        _dsn(
            "MAILER-DAEMON@amazonses.com",
            "Delivery Status Notification (Failure)",
            "An error occurred while trying to deliver the mail to the following recipients:\nlena@example.net",
            "Final-Recipient: rfc822;lena@example.net",
            "Action: failed",
            "Status: 5.7.1",
            "Diagnostic-Code: smtp; 550 5.7.1 Message rejected under suspicion of SPAM",
        ),
    ),
    _gone(
        "opensmtpd",
        _dsn(
            "Mailer Daemon <MAILER-DAEMON@mail.example.com>",
            "Delivery status notification: error",
            "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nlena@example.net: 550 5.1.1 <lena@example.net>: User unknown",
            "Final-Recipient: rfc822; lena@example.net",
            "Action: error",
            "Status: 5.0.0",
        ),
    ),
    _gone(
        "several recipients, ours failed",
        _dsn(
            "MAILER-DAEMON@mail.example.com",
            "Undelivered Mail Returned to Sender",
            "This is the mail system.\n\n<other@example.org>: delivered\n<lena@example.net>: unknown user",
            "Final-Recipient: rfc822; other@example.org",
            "Action: relayed",
            "Status: 2.0.0",
            "",
            "Final-Recipient: rfc822; lena@example.net",
            "Action: failed",
            "Status: 5.1.1",
            "Diagnostic-Code: smtp; 550 user unknown",
        ),
    ),
    _gone(
        "the original recipient before the final one",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "<lamp.lena@internal.example>: unknown user",
            "Original-Recipient: rfc822;lena@example.net",
            "Final-Recipient: rfc822;lamp.lena@internal.example",
            "Action: failed",
            "Status: 5.1.1",
        ),
    ),
    _gone(
        "an address in xtext",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "unknown user",
            "Original-Recipient: rfc822;lena+40example.net",
            "Final-Recipient: rfc822;x",
            "Action: failed",
            "Status: 5.1.1",
        ),
    ),
    _gone(
        "a plus sign that is no xtext",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "unknown user",
            "Final-Recipient: rfc822;lena+4016@example.net",
            "Action: failed",
            "Status: 5.1.1",
            to="lena+4016@example.net",
        ),
        "lena+4016@example.net",
    ),
    _gone(
        "brackets around the address",
        _dsn(
            "MAILER-DAEMON@example.net",
            "failure notice",
            "unknown",
            "Final-Recipient: rfc822;<lena@example.net>",
            "Action: Failed",
            "Status: 5.1.1 (bad destination mailbox address)",
        ),
    ),
    _gone(
        "an internationalized report",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "unknown user",
            "Final-Recipient: utf-8; lena@bücher.example",
            "Action: failed",
            "Status: 5.1.1",
        ).replace(b"message/delivery-status", b"message/global-delivery-status"),
        "lena@bücher.example",
    ),
    _gone(
        "no recipient but in the copy",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "Your message could not be delivered: user unknown",
            "Action: failed",
            "Status: 5.1.1",
        ),
    ),
    _passing(
        "x.400 report with vague words",
        _dsn(
            "postmaster@example.net",
            "Delivery Report (failure) for lena@example.net",
            "This report relates to your message: Lamps\n\nYour message was not delivered to:\n        lena@example.net\nfor the following reason:\nDiagnostic was Unable to transfer, -1",
            "Final-Recipient: rfc822; lena@example.net",
            "Action: failed",
            "Status: 5.0.0",
            "Diagnostic-Code: Reason 1 (Unable-To-Transfer); Diagnostic -1 (Unknown)",
        ),
    ),
    _gone(
        "mimecast",
        _dsn(
            "postmaster@example.net",
            "[Postmaster] Email Delivery Failure",
            "The following recipients could not be reached: lena@example.net",
            "Final-Recipient: rfc822;lena@example.net",
            "Action: failed",
            "Status: 5.0.0",
            "Diagnostic-Code: smtp; 550 Invalid Recipient - https://community.example/docs/550",
        ),
    ),
    _passing(
        "a sender policy",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Delivery Status Notification (Failure)",
            "lena@example.net: rejected",
            "Final-Recipient: rfc822;lena@example.net",
            "Action: failed",
            "Status: 5.7.26",
            "Diagnostic-Code: smtp; 550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.",
        ),
    ),
    _passing(
        "relaying denied",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "lena@example.net: relaying denied",
            "Final-Recipient: rfc822;lena@example.net",
            "Action: failed",
            "Status: 5.7.1",
            "Diagnostic-Code: smtp; 550 5.7.1 Relaying denied",
        ),
    ),
    _gone(
        "disabled account",
        _dsn(
            "MAILER-DAEMON@example.net",
            "Undelivered Mail Returned to Sender",
            "lena@example.net: disabled",
            "Final-Recipient: rfc822;lena@example.net",
            "Action: failed",
            "Status: 5.2.1",
            "Diagnostic-Code: smtp; 550 5.2.1 The email account that you tried to reach is disabled.",
        ),
    ),
)

_QMAIL = (
    """Hi. This is the qmail-send program at mail.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<lena@example.net>:
{0}

--- Below this line is a copy of the message.

Return-Path: <sam@example.com>
"""
    + _COPY
)

_EXIM = (
    """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  lena@example.net
    {0}

------ This is a copy of the message, including all the headers. ------

Return-path: <sam@example.com>
"""
    + _COPY
)

_GMX = (
    """Hallo sam@example.com,

leider konnte Ihre E-Mail nicht zugestellt werden.

Adresse: lena@example.net
Grund: SMTP error from remote server for RCPT TO command, host: mx.example.net (192.0.2.9) reason: 550 Benutzer unbekannt

-- Es folgt eine Kopie der Kopfzeilen

"""
    + _COPY
)

TOLD = (
    _gone(
        "qmail",
        plain(
            _from("MAILER-DAEMON@mail.example.com", "failure notice", "Return-Path: <>"),
            _QMAIL.format("Sorry, no mailbox here by that name. (#5.1.1)"),
        ),
    ),
    _passing(
        "qmail, tried for too long",
        plain(
            _from("MAILER-DAEMON@mail.example.com", "failure notice"),
            _QMAIL.format("I'm not going to try again; this message has been in the queue too long. (#4.4.1)"),
        ),
    ),
    _gone(
        "qmail, no such host",
        plain(
            _from("MAILER-DAEMON@mail.example.com", "failure notice"),
            _QMAIL.format("Sorry, I couldn't find any host named example.net. (#5.1.2)"),
        ),
    ),
    _passing(
        "qmail, over quota",
        plain(_from("MAILER-DAEMON@mail.example.com", "failure notice"), _QMAIL.format("user is over quota. (#5.2.2)")),
    ),
    _gone(
        "exim",
        plain(
            _from(
                "Mail Delivery System <Mailer-Daemon@example.com>",
                "Mail delivery failed: returning message to sender",
                "X-Failed-Recipients: lena@example.net",
            ),
            _EXIM.format(
                "host mx.example.net [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<lena@example.net>:\n    550 5.1.1 <lena@example.net>: Recipient address rejected: User unknown"
            ),
        ),
    ),
    _gone(
        "exim, unrouteable",
        plain(
            _from(
                "Mail Delivery System <Mailer-Daemon@example.com>",
                "Mail delivery failed: returning message to sender",
                "X-Failed-Recipients: lena@example.net",
            ),
            _EXIM.format("Unrouteable address"),
        ),
    ),
    _gone(
        "exim, no mail accepted there",
        plain(
            _from(
                "Mail Delivery System <Mailer-Daemon@example.com>", "Mail delivery failed: returning message to sender"
            ),
            _EXIM.format("all relevant MX records point to non-existent hosts"),
        ),
    ),
    _passing(
        "exim, retry time over",
        plain(
            _from(
                "Mail Delivery System <Mailer-Daemon@example.com>", "Mail delivery failed: returning message to sender"
            ),
            _EXIM.format("retry timeout exceeded"),
        ),
    ),
    _passing(
        "exim, blocked",
        plain(
            _from(
                "Mail Delivery System <Mailer-Daemon@example.com>", "Mail delivery failed: returning message to sender"
            ),
            _EXIM.format("550 Rejected: 192.0.2.7 is listed on a blocklist"),
        ),
    ),
    _passing(
        "exim, warning",
        plain(
            _from("Mail Delivery System <Mailer-Daemon@example.com>", "Warning: message 1abc-000 delayed 24 hours"),
            "This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mail.example.com.\n\nThe address to which the message has not yet been delivered is:\n\n  lena@example.net\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals.\n",
        ),
    ),
    _gone(
        "gmx",
        plain(
            _from("GMX Mailer Daemon <mailer-daemon@gmx.example>", "Mail delivery failed: returning message to sender"),
            _GMX,
        ),
    ),
    _gone(
        "yahoo",
        plain(
            _from("MAILER-DAEMON@yahoo.example", "Failure Notice"),
            "Sorry, we were unable to deliver your message to the following address.\n\n<lena@example.net>:\n554: delivery error: dd This user doesn't have an example.net account (lena@example.net) [0]\n\n--- Below this line is a copy of the message.\n\n"
            + _COPY,
        ),
    ),
    _passing(
        "yahoo, over quota",
        plain(
            _from("MAILER-DAEMON@yahoo.example", "Failure Notice"),
            "Sorry, we were unable to deliver your message to the following address.\n\n<lena@example.net>:\n552: 5.2.2 This message is larger than the current system limit or the recipient's mailbox is full.\n\n--- Below this line is a copy of the message.\n\n"
            + _COPY,
        ),
    ),
    _gone(
        "gmail of old",
        plain(
            _from(
                "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
                "Delivery Status Notification (Failure)",
                "X-Failed-Recipients: lena@example.net",
            ),
            "Delivery to the following recipient failed permanently:\n\n     lena@example.net\n\nTechnical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the server for the recipient domain example.net by mx.example.net. [192.0.2.9].\n\nThe error that the other server returned was:\n550 5.1.1 User unknown\n\n----- Original message -----\n\n"
            + _COPY,
        ),
    ),
    _gone(
        "exchange 5.5 in words",
        mixed(
            _from("System Administrator <postmaster@example.net>", "Undeliverable: Lamps for your lobby"),
            (
                "text/plain",
                "Your message\n\n  To:      lena@example.net\n  Subject: Lamps for your lobby\n  Sent:    Tue, 1 Dec 2026 09:00:00 -0000\n\ndid not reach the following recipient(s):\n\nlena@example.net on Tue, 1 Dec 2026 09:00:04 -0000\n    The recipient name is not recognized\n    The MTS-ID of the original message is: c=us;a= ;p=example",
            ),
            ("message/rfc822", _COPY),
        ),
    ),
    _gone(
        "notes",
        plain(
            _from(
                "Mail Router <postmaster@example.net>",
                "DELIVERY FAILURE: User lena (lena@example.net) not listed in Domino Directory",
            ),
            "Your message\n\n  Subject: Lamps for your lobby\n\nwas not delivered to:\n\n  lena@example.net\n\nbecause:\n\n  User lena (lena@example.net) not listed in Domino Directory\n",
        ),
    ),
    _gone(
        "groupwise",
        mixed(
            _from("Mailer-Daemon@example.net", "Message status - undeliverable"),
            (
                "text/plain",
                "The message that you sent was undeliverable to the following:\n    lena@example.net (550 No such recipient)\n\nPossibly truncated original message follows:\n",
            ),
            ("message/rfc822", _COPY),
        ),
    ),
    _gone(
        "mdaemon",
        plain(
            _from("MDaemon <MDaemon@example.net>", "Permanent Delivery Failure"),
            "The following data may contain sections which represent BASE64 encoded file attachments.\n\nThe attached message had PERMANENT fatal delivery errors!\n\nFailed address: lena@example.net\n\n--- Session Transcript ---\n <-- 550 5.1.1 Recipient unknown <lena@example.net>\n --- End Transcript ---\n",
        ),
    ),
    _gone(
        "hmailserver",
        plain(
            _from("mailer-daemon@mail.example.com", "Message undeliverable: Lamps for your lobby"),
            "Your message did not reach some or all of the intended recipients.\n\n   Sent: Tue, 1 Dec 2026 09:00:00 +0000\n   Subject: Lamps for your lobby\n\nThe following recipient(s) could not be reached:\n\nlena@example.net\n   Error Type: SMTP\n   Remote server (192.0.2.9) issued an error.\n   hMailServer sent: RCPT TO:<lena@example.net>\n   Remote server replied: 550 Unknown user\n\nhMailServer\n",
        ),
    ),
    _gone(
        "a system in french",
        plain(
            _from("Mail Delivery System <MAILER-DAEMON@example.fr>", "Échec de la remise du message"),
            "Votre message n'a pas pu être remis au destinataire suivant :\n\nlena@example.net\n\nMotif : cet utilisateur n'existe pas.\n",
        ),
    ),
    _gone(
        "a system in spanish",
        plain(
            _from("postmaster@example.es", "Notificación de estado de entrega (fallo)"),
            "No se pudo entregar su mensaje a los siguientes destinatarios:\n\nlena@example.net: el usuario no existe\n",
        ),
    ),
    _gone(
        "a system in italian",
        plain(
            _from("MAILER-DAEMON@example.it", "Mancato recapito del messaggio"),
            "Non è stato possibile recapitare il messaggio a lena@example.net: utente sconosciuto.\n",
        ),
    ),
    _gone(
        "a system in polish",
        plain(
            _from("MAILER-DAEMON@example.pl", "Zwrot: nie można dostarczyć wiadomości"),
            "Nie można dostarczyć wiadomości do lena@example.net: użytkownik nie istnieje.\n",
        ),
    ),
    _gone(
        "a system in russian",
        plain(
            _from("mailer-daemon@example.ru", "Недоставленное сообщение"),
            "Это письмо создано автоматически сервером.\n\nК сожалению, мы не можем доставить Ваше письмо по адресу:\n\nlena@example.net\n\nПользователь не найден.\n",
            charset="koi8-r",
            encoding="base64",
        ),
    ),
    _gone(
        "a system in japanese",
        plain(
            _from("Mail Delivery Subsystem <MAILER-DAEMON@example.jp>", "配信エラーのお知らせ"),
            "次の宛先にメールを配信できませんでした。\n\nlena@example.net\n\n宛先のユーザーは存在しません。\n",
            charset="iso-2022-jp",
            encoding="7bit",
        ),
    ),
    _gone(
        "a system in chinese",
        plain(
            _from("postmaster@example.cn", "系统退信"),
            "抱歉，您的邮件被退回来了……\n\n收件人：lena@example.net\n退信原因：收件人邮件地址（lena@example.net）不存在，邮件无法送达。\n",
            charset="gb2312",
            encoding="base64",
        ),
    ),
    _passing(
        "a delay in german",
        plain(
            _from(
                "Mail Delivery System <mailer-daemon@example.de>",
                "Verzögerung: Ihre Nachricht wurde noch nicht zugestellt",
            ),
            "Ihre Nachricht an lena@example.net wurde noch nicht zugestellt. Die Zustellung wird weiterhin versucht.\n",
        ),
    ),
    _gone(
        "a null sender with a name of its own",
        plain(
            _from("Mail service <mailservice@example.net>", "Undeliverable mail: lena@example.net", "Return-Path: <>"),
            "The user lena@example.net does not exist.\n",
        ),
    ),
    _gone(
        "html alone",
        plain(
            _from("Mail Delivery Subsystem <MAILER-DAEMON@example.net>", "Undeliverable: Lamps"),
            "<html><body><h1>Message not delivered</h1><p>Your message to <b>lena@example.net</b> couldn't be delivered.</p><p>The recipient was not found.</p></body></html>",
            html=True,
        ),
    ),
    _gone(
        "a provider that only says failed",
        plain(
            _from("postmaster@mail.example.com", "Delivery failure"),
            "Delivery to the following recipients failed.\n\n       lena@example.net\n",
        ),
    ),
    _gone(
        "t-online",
        plain(
            _from(
                "Mail Delivery System <mailer-daemon@example.de>", "Mail delivery failed: returning message to sender"
            ),
            "|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n <lena@example.net> ... unknown user\n|------------------------- Message text follows: ------------------------|\n\n"
            + _COPY,
        ),
    ),
    _gone(
        "a bounce in an old thread",
        plain(
            _from(
                "MAILER-DAEMON@example.net",
                "Undeliverable: Re: Lamps for your lobby",
                "In-Reply-To: <1.2s.0.0.k3mq7wexamplemark2a4b6@mail.example.com>",
            ),
            "Delivery has failed to these recipients:\nlena@example.net\n550 5.1.1 user unknown\n",
        ),
    ),
)

SAMPLES = (*REPORTED, *TOLD)
