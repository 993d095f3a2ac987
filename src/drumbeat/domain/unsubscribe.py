"""Suppression, one-click tokens and header values, and the words of the footer and the unsubscribe page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html import escape
from typing import Final

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.mac import mark, read_mark

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_URL = re.compile(r"https?://[!#-;=?-~]{1,900}")
_MAILTO = re.compile(r"(?:mailto:)?([A-Za-z0-9._+=-]{1,64}@[A-Za-z0-9.-]{1,253}(?:\?[!#-;=?-~]{1,300})?)")


class Suppression(StrEnum):
    """Why nothing is sent to an address key any more."""

    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    SUPPRESSED = "suppressed"


def check_locale(text: str) -> str:
    """The locale, such as en-US or de; IncorrectValue if it has not the shape of one."""
    if not _LOCALE.fullmatch(text):
        raise IncorrectValue("Write a locale such as en-US or de.", field="locale")
    return text


def unsubscribe_token(key: bytes, account_id: int, enrollment_id: int) -> str:
    """A short token for links and addresses that names account and enrollment, and cannot be made up."""
    return mark(key, "unsubscribe", account_id, enrollment_id)


def read_unsubscribe_token(key: bytes, token: str) -> tuple[int, int] | None:
    """The account and enrollment a token names, or None when it is not exactly one of ours."""
    match read_mark(key, "unsubscribe", token):
        case (account_id, enrollment_id):
            return account_id, enrollment_id
    return None


_TOKEN: Final = re.compile(r"[0-9a-z]{1,13}\.[0-9a-z]{1,13}\.[a-z2-7]{24}\b")


def find_unsubscribe_token(text: str) -> str | None:
    """What looks like a token within a subject, or None."""
    found = _TOKEN.search(text)
    return None if found is None else found[0]


def mailto_of(address: str, token: str) -> str | None:
    """The way out by mail: a letter to this address with the token in its subject; None if no header can hold it."""
    mailto = f"{address}?subject=unsubscribe%20{token}"
    return mailto if _MAILTO.fullmatch(mailto) else None


def header_values(url: str, mailto: str | None = None) -> tuple[str, str]:
    """The values of List-Unsubscribe and List-Unsubscribe-Post (RFC 2369, RFC 8058).

    Raises ValueError when the link or the address could not stand in a header as it is.
    """
    if not _URL.fullmatch(url):
        raise ValueError(f"not a link for List-Unsubscribe: {url!r}")
    value = f"<{url}>"
    if mailto is not None:
        match = _MAILTO.fullmatch(mailto)
        if match is None:
            raise ValueError(f"not an address for List-Unsubscribe: {mailto!r}")
        value += f", <mailto:{match[1]}>"
    return value, "List-Unsubscribe=One-Click"


@dataclass(frozen=True, slots=True)
class Footer:
    """The visible way out, to be placed at the end of the HTML and of the text."""

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class PageWords:
    """What the unsubscribe page says."""

    title: str
    question: str
    button: str
    done: str
    invalid: str


def footer(locale: str | None, url: str, postal_address: str | None) -> Footer:
    """The footer in the locale's language, with the link and the sender's postal address (lines kept)."""
    html, html_end, text, text_end = _around_link(locale, postal_address)
    return Footer(f"{html}{escape(url)}{html_end}", f"{text}{url}{text_end}")


@lru_cache(maxsize=256)
def _around_link(locale: str | None, postal_address: str | None) -> tuple[str, str, str, str]:
    """What stands before and behind the link in HTML, and in text: the same in every letter of an account."""
    sentence, link = _FOOTER[language(locale)]
    address = [line.strip() for line in (postal_address or "").splitlines() if line.strip()]
    html = f'<p style="font-size:12px;color:#666666">{escape(sentence)} <a href="'
    html_end = "<br>\n".join([f'">{escape(link)}</a>', *map(escape, address)]) + "</p>"
    # The signature mark: mail programs leave what follows out of their replies.
    return html, html_end, f"-- \n{sentence} {link}: ", "\n".join(["", *address])


def page_words(locale: str | None) -> PageWords:
    """The words of the unsubscribe page in the locale's language, English when we do not have it."""
    return _PAGE[language(locale)]


def language(locale: str | None) -> str:
    """The language we write for a locale such as `en-US` or `pt_BR`: two letters, `en` when unknown."""
    letters = re.split(r"[-_]", (locale or "").strip().lower(), maxsplit=1)[0]
    return letters if letters in _PAGE else "en"


_FOOTER = {
    "en": ("You no longer want to receive these e-mails?", "Unsubscribe"),
    "de": ("Sie möchten diese E-Mails nicht mehr erhalten?", "Abmelden"),
    "es": ("¿Ya no desea recibir estos correos?", "Darse de baja"),
    "fr": ("Vous ne souhaitez plus recevoir ces e-mails ?", "Se désabonner"),
    "it": ("Non desidera più ricevere queste e-mail?", "Annulla l'iscrizione"),
    "nl": ("Wilt u deze e-mails niet meer ontvangen?", "Afmelden"),
    "pl": ("Nie chcesz już otrzymywać tych wiadomości?", "Wypisz się"),
    "pt": ("Não deseja mais receber estes e-mails?", "Cancelar inscrição"),
}

_PAGE = {
    "en": PageWords(
        title="Unsubscribe",
        question="Do you want to stop receiving these e-mails?",
        button="Unsubscribe",
        done="You are unsubscribed. You will get no more of these e-mails.",
        invalid="This link is not valid. Please use the link from the e-mail, or answer it.",
    ),
    "de": PageWords(
        title="Abmelden",
        question="Möchten Sie diese E-Mails nicht mehr erhalten?",
        button="Abmelden",
        done="Sie sind abgemeldet. Sie erhalten keine dieser E-Mails mehr.",
        invalid="Dieser Link ist ungültig. Nutzen Sie den Link aus der E-Mail, oder antworten Sie darauf.",
    ),
    "es": PageWords(
        title="Darse de baja",
        question="¿Desea dejar de recibir estos correos?",
        button="Darse de baja",
        done="Se ha dado de baja. No recibirá más correos de este tipo.",
        invalid="Este enlace no es válido. Utilice el enlace del correo o respóndalo.",
    ),
    "fr": PageWords(
        title="Se désabonner",
        question="Souhaitez-vous ne plus recevoir ces e-mails ?",
        button="Se désabonner",
        done="Vous êtes désabonné. Vous ne recevrez plus ces e-mails.",
        invalid="Ce lien n'est pas valide. Utilisez le lien de l'e-mail ou répondez-y.",
    ),
    "it": PageWords(
        title="Annulla l'iscrizione",
        question="Desidera non ricevere più queste e-mail?",
        button="Annulla l'iscrizione",
        done="L'iscrizione è stata annullata. Non riceverà più queste e-mail.",
        invalid="Questo link non è valido. Usi il link nell'e-mail oppure risponda.",
    ),
    "nl": PageWords(
        title="Afmelden",
        question="Wilt u deze e-mails niet meer ontvangen?",
        button="Afmelden",
        done="U bent afgemeld. U ontvangt deze e-mails niet meer.",
        invalid="Deze link is niet geldig. Gebruik de link uit de e-mail of beantwoord de e-mail.",
    ),
    "pl": PageWords(
        title="Wypisz się",
        question="Czy chcesz przestać otrzymywać te wiadomości?",
        button="Wypisz się",
        done="Wypisano. Nie będziesz już otrzymywać tych wiadomości.",
        invalid="Ten link jest nieprawidłowy. Użyj linku z wiadomości lub na nią odpowiedz.",
    ),
    "pt": PageWords(
        title="Cancelar inscrição",
        question="Deseja deixar de receber estes e-mails?",
        button="Cancelar inscrição",
        done="Sua inscrição foi cancelada. Você não receberá mais estes e-mails.",
        invalid="Este link não é válido. Use o link do e-mail ou responda a ele.",
    ),
}
