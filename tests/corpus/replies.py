"""People's replies, many of which talk like machines, and wishes to get no more letters."""

from __future__ import annotations

from tests.corpus.message import OURS, Sample, mixed, plain

_LENA = "From: Lena Lamp <lena@example.net>\nTo: Sam Seller <sam@example.com>\nDate: Wed, 2 Dec 2026 10:00:00 +0100"
_ANSWERS = f"In-Reply-To: {OURS}\nReferences: {OURS}"


def _said(
    name: str,
    body: str,
    subject: str = "Re: Lamps for your lobby",
    *more: str,
    kind: str = "reply",
    thread: bool = True,
) -> Sample:
    headers = "\n".join((_LENA, f"Subject: {subject}", *more, *([_ANSWERS] if thread else [])))
    return Sample(name, plain(headers, body), kind)


def _quoted(own: str, introduced: str) -> str:
    return f"{own}\n\n{introduced}\n> Hi Lena,\n>\n> may I show you our lamps?\n> To get no more letters, unsubscribe here: https://example.com/u/x\n"


def _outlook(own: str, *names: str) -> str:
    return f"{own}\n\n{names[0]}: Sam Seller <sam@example.com>\n{names[1]}: Dienstag, 1. Dezember 2026 10:00\n{names[2]}: Lena Lamp <lena@example.net>\n{names[3]}: Lamps for your lobby\n\nHi Lena,\nmay I show you our lamps? Unsubscribe: https://example.com/u/x\n"


_GMAIL = "On Tue, Dec 1, 2026 at 10:00 AM Sam Seller <sam@example.com> wrote:"

REPLIES = (
    _said("gmail", _quoted("Sounds good, call me on Thursday.", _GMAIL)),
    _said("one word", _quoted("Yes", _GMAIL)),
    _said("no thanks", _quoted("No, thank you. We are fully lit.", _GMAIL)),
    _said(
        "apple mail",
        _quoted(
            "Hi Sam,\n\nthanks, what do they cost?\n\nLena",
            "> On 1 Dec 2026, at 10:00, Sam Seller <sam@example.com> wrote:\n>",
        ),
    ),
    _said(
        "an iphone",
        _quoted("Call me\n\nSent from my iPhone", "> On 1 Dec 2026, at 10:00, Sam Seller <sam@example.com> wrote:\n>"),
    ),
    _said(
        "thunderbird german", _quoted("Gerne, nächste Woche.", "Am 01.12.26 um 10:00 schrieb Sam Seller:"), "Re: Lampen"
    ),
    _said("outlook german", _outlook("Bitte senden Sie mir Preise.", "Von", "Gesendet", "An", "Betreff"), "AW: Lampen"),
    _said(
        "outlook english",
        _outlook("Please send me prices.", "From", "Sent", "To", "Subject"),
        "RE: Lamps for your lobby",
    ),
    _said("outlook french", _outlook("Merci, envoyez-moi vos prix.", "De", "Envoyé", "À", "Objet"), "RE: Lampes"),
    _said(
        "gmail french",
        _quoted("Oui, volontiers.", "Le mar. 1 déc. 2026 à 10:00, Sam Seller <sam@example.com> a écrit :"),
    ),
    _said(
        "gmail spanish",
        _quoted("Sí, me interesa.", "El mar, 1 dic 2026 a las 10:00, Sam Seller (<sam@example.com>) escribió:"),
    ),
    _said(
        "gmail italian",
        _quoted("Certo!", "Il giorno mar 1 dic 2026 alle ore 10:00 Sam Seller <sam@example.com> ha scritto:"),
    ),
    _said("gmail dutch", _quoted("Prima, bel me.", "Op di 1 dec 2026 om 10:00 schreef Sam Seller <sam@example.com>:")),
    _said(
        "gmail polish",
        _quoted("Proszę o cennik.", "wt., 1 gru 2026 o 10:00 Sam Seller <sam@example.com> napisał(a):"),
        "Odp: Lampy",
    ),
    _said(
        "gmail swedish",
        _quoted("Ja tack.", "Den tis 1 dec. 2026 kl 10:00 skrev Sam Seller <sam@example.com>:"),
        "SV: Lampor",
    ),
    _said("gmail japanese", _quoted("よろしくお願いします。", "2026年12月1日(火) 10:00 Sam Seller <sam@example.com>:")),
    _said(
        "russian",
        _quoted("Да, пришлите цены.", "вт, 1 дек. 2026 г. в 10:00, Sam Seller <sam@example.com>:"),
        "Ответ: Лампы",
    ),
    _said("without a thread, by its subject", "Yes please.", "AW: Lamps for your lobby", thread=False),
    _said("without a thread, by its quote", _quoted("Yes please.", _GMAIL), "Lamps", thread=False),
    _said(
        "a person who is away",
        _quoted("I'm on vacation until Monday, let's talk then. What would 40 lamps cost?", _GMAIL),
    ),
    _said(
        "a person about to leave", _quoted("I am out of the office next week, so please send the offer today.", _GMAIL)
    ),
    _said("a person from the beach", "We'll talk when I am back on the 4th, I'm on holiday with the kids. Lena"),
    _said(
        "a person who leaves the company",
        _quoted("I leave Example at the end of the month, please write to Max (max@example.net) from then on.", _GMAIL),
    ),
    _said(
        "a person who quotes a notice",
        _quoted(
            "Sorry for the automatic reply. I am here now.",
            "On Fri, Dec 18, 2026 at 10:00 AM Lena Lamp <lena@example.net> wrote:",
        )
        + "> I am out of the office until January 5.\n",
    ),
    _said(
        "a person who writes about a bounce",
        _quoted("Your mail to my colleague bounced: 550 5.1.1 user unknown. Use max@example.net.", _GMAIL),
    ),
    _said(
        "a person who asks about undelivered goods",
        "The lamps were undeliverable, could not be delivered to our address. What now?",
        "Re: Delivery failure of our order",
    ),
    Sample(
        "a person forwards a bounce",
        mixed(
            f"{_LENA}\nSubject: Fwd: Undelivered Mail Returned to Sender\n{_ANSWERS}",
            ("text/plain", "Hi Sam, your colleague's mail came back to me, see below. Lena"),
            (
                "message/rfc822",
                "From: MAILER-DAEMON@example.org\nTo: lena@example.net\nSubject: Undelivered Mail Returned to Sender\n\nThis is the mail system. <x@example.org>: user unknown",
            ),
        ),
        "reply",
    ),
    _said(
        "a person answers a bounce",
        "Did you get this? It says the mailbox is full.",
        "Re: Undelivered Mail Returned to Sender",
    ),
    _said("a person says stop, and more", _quoted("Stop by on Thursday if you like.", _GMAIL)),
    _said(
        "a person mentions unsubscribing",
        _quoted("I wanted to unsubscribe, but your lamps are lovely. Call me.", _GMAIL),
    ),
    _said(
        "a postmaster who is a person",
        _quoted("Hi Sam, I run our mail here. Which lamps fit a server room?", _GMAIL),
        "Re: Lamps",
        "Sender: postmaster@example.net",
    ),
    _said(
        "through a mailing list",
        _quoted("We all want lamps.", _GMAIL),
        "Re: [team] Lamps",
        "List-Id: <team.example.net>",
        "Precedence: list",
    ),
    _said("automatically submitted: no", _quoted("I wrote this myself.", _GMAIL), "Re: Lamps", "Auto-Submitted: no"),
    _said("only suppresses machines", _quoted("Fine.", _GMAIL), "Re: Lamps", "X-Auto-Response-Suppress: All"),
    _said("thanks and thanks", "Thank you for your message. I will look at it this week."),
    _said("urgent", "This is urgent: can you deliver 40 lamps by Friday?"),
    Sample(
        "html alone",
        plain(
            f"{_LENA}\nSubject: Re: Lamps for your lobby\n{_ANSWERS}",
            '<div>Yes, call me.</div><div class="gmail_quote">On Tue, Dec 1, 2026 Sam wrote:<blockquote>Lamps?</blockquote></div>',
            html=True,
        ),
        "reply",
    ),
    Sample("empty", plain(f"{_LENA}\nSubject: Re: Lamps for your lobby\n{_ANSWERS}", ""), "reply"),
    _said(
        "answers below",
        "On Tue, Dec 1, 2026 at 10:00 AM Sam Seller <sam@example.com> wrote:\n> May I show you our lamps?\n\nYes, on Thursday.\n",
    ),
    _said(
        "a question about returns",
        "Is there a right of return? We had a delivery status notification from DHL.",
        "Re: Return to sender?",
    ),
)

OPT_OUTS = tuple(
    _said(f"opt-out: {words}", _quoted(words, _GMAIL), kind="unsubscribe")
    for words in (
        "unsubscribe", "Unsubscribe me please.", "STOP", "Remove me from your list", "Please remove me.\n\nThanks", "take me off this list", "Please stop emailing me", "opt out",
        "Bitte abmelden", "Abmelden", "Keine weiteren E-Mails mehr", "Bitte nehmen Sie mich aus dem Verteiler", "Désinscription", "Me désabonner", "Dar de baja", "No me envíen más correos",
        "Cancelar inscrição", "Remover", "Cancellami", "Disiscrivimi", "Afmelden", "Wypisz mnie", "Avregistrera mig", "Afmeld", "Odhlásit", "отписаться", "配信停止", "退订",
    )
)  # fmt: skip
MAILTO = (
    Sample("mailto", plain(f"{_LENA}\nSubject: unsubscribe", ""), "unsubscribe"),
    Sample(
        "mailto of a program that fills the body",
        plain(f"{_LENA}\nSubject: unsubscribe", "This message was created by the mail program."),
        "unsubscribe",
    ),
    Sample("subject in german", plain(f"{_LENA}\nSubject: Abmelden", ""), "unsubscribe"),
)

SAMPLES = (*REPLIES, *OPT_OUTS, *MAILTO)
