"""What a received message is: a reply, an auto-reply, a bounce, a complaint, an unsubscription, or none of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from drumbeat.domain.absence import return_date
from drumbeat.domain.auto_reply import (
    declared_automatic,
    is_bulk,
    is_generated,
    reads_automatic,
    says_acknowledged,
    says_automatic,
)
from drumbeat.domain.bounce import (
    DAEMON,
    Failure,
    addresses_in,
    failure_in_text,
    failures_in,
    read_address,
)
from drumbeat.domain.opt_out import is_opt_out


class InboundKind(StrEnum):
    """What a received message is."""

    REPLY = "reply"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    UNRELATED = "unrelated"


Headers = Mapping[str, Sequence[str]]
"""Names in lower case, each with its values as people read them."""


@dataclass(frozen=True, slots=True)
class Received:
    """The facts of one received message, as far as they could be read within the limits."""

    headers: Headers
    text: str = ""  # what it says itself, an HTML body as plain text, up to a copy of the message that came back
    own_text: str = ""  # the same without quotes and signature
    has_quote: bool = False  # whether it quotes another message
    sent_on: date | None = None
    report: tuple[Mapping[str, str], ...] | None = None  # the groups of a delivery report, the message's first
    feedback: Mapping[str, str] | None = None  # a complaint's report (RFC 5965)
    is_receipt: bool = False  # a disposition notification (RFC 8098)
    original: Headers = field(default_factory=dict)  # of the message that came back
    suspects: tuple[str, ...] = ()  # recipients that the bounce library makes out

    def first(self, name: str) -> str:
        """A header's first value, or an empty text."""
        return next(iter(self.headers.get(name, ())), "")

    @property
    def subject(self) -> str:
        """The subject, without the space around it."""
        return self.first("subject").strip()

    @property
    def sender(self) -> str | None:
        """The address it is from; a name before it may look like another one."""
        given = self.first("from")
        in_brackets = _IN_BRACKETS.search(given)
        return read_address(in_brackets[1] if in_brackets else given)

    @property
    def answered_ids(self) -> tuple[str, ...]:
        """The Message-IDs it answers, the nearest first."""
        names = (*self.headers.get("in-reply-to", ()), *reversed(_ids(self.headers.get("references", ()))))
        return tuple(dict.fromkeys(_ids(names)))

    @property
    def returned_ids(self) -> tuple[str, ...]:
        """The Message-IDs of what came back in it, and of the thread that was in."""
        names = ("message-id", "original-message-id", "x-original-message-id", "in-reply-to", "references")
        named = [*self.headers.get("x-original-message-id", ()), *self.headers.get("original-message-id", ())]
        named += [each for name in names for each in self.original.get(name, ())]
        named += [group[name] for group in self.report or () for name in names if name in group]
        return tuple(dict.fromkeys(_ids(named)))


def _ids(values: Sequence[str]) -> list[str]:
    return [found for value in values for found in _MESSAGE_ID.findall(value)]


_IN_BRACKETS: Final = re.compile(r"<([^<>]*@[^<>]*)>\s*\Z")
_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,250}@[^<>\s]{1,250}>")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a message was read as.

    `permanent` and `recipient` are a bounce's (the recipient a complaint's, too), `until` an auto-reply's day of
    return, `message_ids` those that may be ours, the likeliest first, and `why` a sentence for people.
    """

    kind: InboundKind
    why: str
    permanent: bool | None = None
    recipient: str | None = None
    message_ids: tuple[str, ...] = ()
    until: date | None = None


def classify(message: Received) -> Reading:
    """Read a message as what it is, by its reports and headers first and by its words last.

    A reply is a person's message; whether it answers a letter of ours is for its Message-IDs to say.
    """
    return (
        _complaint(message)
        or _reported(message)
        or _bounced(message)
        or _automatic(message)
        or _opt_out(message)
        or _answer(message)
    )


# --- complaints -------------------------------------------------------------------------------------

_COMPLAINTS: Final = frozenset({"abuse", "fraud", "virus", "opt-out", "opt-out-list", "other"})
_HOTMAIL: Final = re.compile(r"\s*complaint about (?:a )?message from", re.IGNORECASE)


def _complaint(message: Received) -> Reading | None:
    if message.feedback is None:
        is_bare = bool(message.original) and _HOTMAIL.match(message.subject)
        return _complained(message, "a complaint in Hotmail's form", {}) if is_bare else None
    kind = message.feedback.get("feedback-type", "").strip().lower()
    if kind not in _COMPLAINTS:
        return Reading(InboundKind.UNRELATED, f"A feedback report of type {kind or 'none'} is no complaint.")
    return _complained(message, f"a feedback report of type {kind}", message.feedback)


def _complained(message: Received, what: str, report: Mapping[str, str]) -> Reading:
    named = report.get("original-rcpt-to") or report.get("removal-recipient") or ""
    original = next(iter(message.original.get("to", ())), "")
    recipient = read_address(named) or read_address(
        next(iter(message.original.get("x-hmxmroriginalrecipient", ())), "")
    )
    return Reading(
        InboundKind.COMPLAINT,
        f"It is {what}.",
        recipient=recipient or read_address(original),
        message_ids=message.returned_ids,
    )


# --- bounces ----------------------------------------------------------------------------------------


def _reported(message: Received) -> Reading | None:
    """What a delivery report says (RFC 3464); None without one that tells anything."""
    if message.is_receipt and not (message.suspects and _is_from_daemon(message)):
        return Reading(InboundKind.UNRELATED, "It tells that a letter was displayed or deleted, which changes nothing.")
    if not message.report:
        return None
    failures = failures_in(message.report, message.text)
    if failures:
        return _bounce(message, _ours_first(failures, message)[0], "A delivery report says")
    actions = {group["action"].split()[0].lower() for group in message.report if group.get("action", "").strip()}
    if actions:
        return Reading(InboundKind.UNRELATED, f"A delivery report tells of no failure: {', '.join(sorted(actions))}.")
    return None


def _ours_first(failures: list[Failure], message: Received) -> list[Failure]:
    sent_to = {each.lower() for value in message.original.get("to", ()) for each in addresses_in(value)}
    worst = sorted(failures, key=lambda each: (each.recipient or "").lower() not in sent_to)
    recipient = worst[0].recipient or next(iter(sent_to), None) or next(iter(message.suspects), None)
    return [Failure(recipient, worst[0].permanent, worst[0].why), *worst[1:]]


def _bounce(message: Received, failure: Failure, how: str) -> Reading:
    return Reading(
        InboundKind.BOUNCE,
        f"{how}: {failure.why}",
        permanent=failure.permanent,
        recipient=failure.recipient,
        message_ids=message.returned_ids or message.answered_ids,
    )


_BOUNCED: Final = re.compile(
    r"\s*(?:\[[^\]]{1,30}\]\s*)?(?:\W{0,3}(?:e-?)?mail\W? )?(?:undeliver(?:able|ed|y)|un-?deliverable|"
    r"delivery (?:status|failure|failed|report|notification|has failed|problem|error|unsuccessful|delayed|"
    r"incomplete)|"
    r"(?:mail|message|e-?mail) (?:delivery|system|could not|not|status|undeliver\w*|rejected|returned|error|"
    r"delayed)|returned (?:mail|message|e-?mail)|return(?:ed)? to sender|failure (?:notice|delivery)|"
    r"failed (?:mail|delivery|message)|rejected(?: mail|: )|(?:permanent |temporary )?(?:delivery )?fail(?:ure|"
    r"ed)\b|non[- ]?delivery|nondeliver\w+|ndr\b|bounced?\b|could not (?:send|deliver)|"
    r"warning: (?:could not send|message|e-?mail|delayed)|delayed (?:mail|message|delivery)|(?:your )?(?:message|"
    r"mail|e-?mail)\b.{0,60}(?:could not be|couldn't be|was not|wasn't|not) (?:delivered|sent)|"
    r"mail status report|status (?:report|notification)|unknown (?:user|recipient)|user unknown|address not found|"
    r"message blocked|problem deliver|"
    r"unzustellbar|nicht zustellbar|zustell(?:ung|fehler|bericht)|r[uü]ckl[aä]ufer|nachricht nicht|"
    r"mail nicht zugestellt|fehlgeschlagen|verz[oö]gerung|"
    r"non remis|non distribu|[eé]chec (?:de|d.)|notification d.[eé]chec|message non|remise |"
    r"rapport de (?:non-)?remise|avis de non|"
    r"no se (?:puede|pudo|ha podido) entregar|no entregad|no se entreg|notificaci[oó]n de (?:estado|entrega)|"
    r"error de entrega|devuelto|"
    r"n[aã]o (?:foi )?(?:entregue|poss[ií]vel)|falha (?:na|de) entrega|notifica[cç][aã]o de|mensagem n[aã]o|devolvid|"
    r"mancat[ao] (?:recapito|consegna)|impossibile (?:recapitare|consegnare)|non recapitabile|avviso di mancat|"
    r"notifica(?:zione)? (?:di|dello)|"
    r"onbestelbaar|niet (?:bezorgd|afgeleverd)|kan niet worden bezorgd|niedostarcz|nie dostarcz|zwrot|"
    r"nie mo[zż]na dostarczy|"
    r"kan inte levereras|kunne ikke leveres|olevererbar|ej levererat|ikke leveret|toimitusvirhe|viesti[aä] ei|"
    r"nedoru[cč]|k[eé]zbes[ií]t|teslim edileme|nelivr|"
    r"недостав|не доставлен|не удалось доставить|ошибка доставки|возврат|недоставлен|"
    r"配信(?:不能|エラー|できません|失敗|状況)|配達(?:不能|できません)|メール(?:配信|送信)(?:エラー|失敗)|エラーメール|送信できません|"
    r"退信|退信通知|投递失败|系统退信|无法(?:送达|投递)|未(?:送达|传递)|傳遞|配信されません|전송\s?실패|배달\s?(?:되지|실패|못)|반송)",
    re.IGNORECASE,
)
_STRONG: Final = re.compile(
    r"hi\. this is the|this is the (?:mail system|qmail|postfix|mailer|mail delivery)|"
    r"created automatically by (?:the )?mail delivery|mail delivery (?:sub)?system|"
    r"could not be delivered|couldn.t be delivered|wasn.t delivered to|was not delivered to|did not reach|"
    r"permanent(?: fatal)? error|delivery to the following|undeliverable|"
    r"unable to deliver|delivery (?:has )?failed|transcript of session|failed permanently|fatal errors|"
    r"returned mail|could not deliver|message (?:delivery )?fail|"
    r"nicht zugestellt|unzustellbar|n.a pas (?:pu|[eé]t[eé])|no se pudo entregar|n[aã]o (?:p[oô]de|"
    r"foi) (?:ser )?entregue|non [eè] stato possibile|не (?:может быть|был[оа]?|удалось) достав|"
    r"配信できません|配達できません|送信できません|無法傳遞|无法(?:送达|投递)|not yet been delivered|has been delayed",
    re.IGNORECASE,
)


def _bounced(message: Received) -> Reading | None:
    """What a failure without a report looks like: a daemon's sender and words, never a person's."""
    failed = [each for value in message.headers.get("x-failed-recipients", ()) for each in addresses_in(value)]
    if not failed and not _looks_returned(message):
        return None
    own = [each for name in ("from", "to", "reply-to", "sender") for each in addresses_in(message.first(name))]
    sent_to = [each for value in message.original.get("to", ()) for each in addresses_in(value)]
    own += [each for value in message.original.get("from", ()) for each in addresses_in(value)]
    words = f"{message.subject}\n{message.text[:20_000]}"
    failure = failure_in_text(words, named=(*failed, *message.suspects), sent_to=sent_to, not_about=own)
    return _bounce(message, failure, "The mail system says")


def _looks_returned(message: Received) -> bool:
    says = _BOUNCED.match(message.subject) is not None
    told = bool(message.suspects) or _STRONG.search(message.text[:3000]) is not None
    if message.report is not None or _is_from_daemon(message):
        return (says or told) and not says_automatic(message.subject)
    if message.answered_ids and not message.original:
        return False
    if bool(message.suspects) and not message.has_quote and _STRONG.search(message.text[:400]):
        return True
    return says and told and not _is_answer_by_subject(message.subject)


_DAEMON_NAME: Final = re.compile(
    r"mail(?:er)?[\s_-]*(?:delivery|daemon|system|administrator)|post\s?master|delivery (?:sub)?system|"
    r"internet mail|mail router|system administrator|systemadministrator|"
    r"administrateur syst|microsoft outlook|message router|microsoft exchange",
    re.IGNORECASE,
)


def _is_from_daemon(message: Received) -> bool:
    sender, returned = message.first("from"), message.first("return-path").strip()
    local = (message.sender or returned.strip("<>")).partition("@")[0]
    if DAEMON.fullmatch(local) or (not message.sender and _DAEMON_NAME.search(sender)):
        return True
    is_null = returned in ("<>", "< >", "<MAILER-DAEMON>") and not says_automatic(message.subject)
    return _DAEMON_NAME.match(sender.strip(' "')) is not None or (is_null and bool(_BOUNCED.match(message.subject)))


# --- what a machine or a person answered --------------------------------------------------------------


def _automatic(message: Received) -> Reading | None:
    why = _why_automatic(message)
    if why is None:
        return None
    until = None
    if message.sent_on is not None:
        words = message.own_text or message.text
        until = return_date(f"{message.subject}\n{words}", message.sent_on, month_first=_is_american(message))
    ids = message.answered_ids or message.returned_ids
    return Reading(InboundKind.AUTO_REPLY, f"A machine answered: {why}.", message_ids=ids, until=until)


def _why_automatic(message: Received) -> str | None:
    declared = declared_automatic(message.headers)
    if declared is not None:
        return declared
    if says_automatic(message.subject):
        return "its subject says so"
    answers, confirms = _answers(message), says_acknowledged(message.subject, message.own_text)
    if is_generated(message.headers) and (answers or confirms):
        return "a program wrote it in answer"
    if message.first("return-path").strip() == "<>" and answers:
        return "it takes no answer itself"
    if confirms and not message.has_quote and (is_bulk(message.headers) or _is_no_reply(message)):
        return "it confirms that a message arrived"
    if reads_automatic(message.own_text, has_quote=message.has_quote):
        return "it reads like an absence notice"
    return None


_NO_REPLY: Final = re.compile(
    r"(?:no|do-?not|keine)[._-]?(?:reply|antwort)|autorespon\w+|auto-?reply|support|help(?:desk)?", re.IGNORECASE
)
_AMERICAN_ZONE: Final = re.compile(r"-0[4-9]00|-1000|\b[ECMP][SD]T\b")


def _is_no_reply(message: Received) -> bool:
    return _NO_REPLY.match(message.sender or "") is not None


def _is_american(message: Received) -> bool:
    return _AMERICAN_ZONE.search(message.first("date")) is not None


def _opt_out(message: Received) -> Reading | None:
    own = message.own_text.strip()
    if own and is_opt_out(own):
        why = "Its words are nothing but the wish to get no more letters."
    elif not own and is_opt_out(message.subject):
        why = "Its subject is nothing but the wish to get no more letters."
    elif is_opt_out(message.subject) and len(own) < 80 and not _is_answer_by_subject(message.subject):
        why = "Its subject is the wish to get no more letters."
    else:
        return None
    return Reading(InboundKind.UNSUBSCRIBE, why, message_ids=message.answered_ids)


def _answer(message: Received) -> Reading:
    if not _answers(message):
        return Reading(InboundKind.UNRELATED, "It answers nothing.")
    return Reading(InboundKind.REPLY, "A person answered.", message_ids=message.answered_ids)


def _answers(message: Received) -> bool:
    return bool(message.answered_ids) or _is_answer_by_subject(message.subject) or message.has_quote


_ANSWER: Final = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:re|aw|antw?|antwort|sv|vs|odp|ynt|yan|r[eé]p?|rif|ref|res|resp|rsp|vá|hl|bls|"
    r"cevap|atb|ang|απ|ответ|отв|回复|回覆|答复|返信|답장|회신)"
    r"(?:\s?\[\d+\]|\(\d+\)|\^\d+)?\s?[:：]",
    re.IGNORECASE,
)


def _is_answer_by_subject(subject: str) -> bool:
    return _ANSWER.match(subject) is not None
