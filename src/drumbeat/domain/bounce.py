"""What a failed delivery says: which recipient, and whether the address is dead or only hard to reach now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drumbeat.domain.line import one_line

_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient's failure: `permanent` when the address itself is dead; `why` is what the server said."""

    recipient: str | None
    permanent: bool
    why: str


# --- reports in the form of RFC 3464 ----------------------------------------------------------------

_FAILED: Final = frozenset({"failed", "failure", "fail"})
_DELAYED: Final = frozenset({"delayed", "delay"})
_WENT_ON: Final = frozenset({"delivered", "relayed", "expanded"})


def failures_in(groups: Sequence[Mapping[str, str]], words: str) -> list[Failure]:
    """The failures of a report's per-recipient groups, the definite ones first; delivered ones are none.

    `words` is the text beside the report: it tells more where a group holds nothing but its code.
    """
    found = [_failure(group, words) for group in groups if _action(group) in _FAILED]
    found += [_delay(group) for group in groups if _action(group) in _DELAYED]
    return found


def _action(group: Mapping[str, str]) -> str:
    action = re.split(r"[\s(;]", group.get("action", "").strip().lower(), maxsplit=1)[0]
    is_failure = group.get("status", "").strip()[:1] in ("4", "5")
    return "failed" if is_failure and action not in _DELAYED | _WENT_ON else action


def _failure(group: Mapping[str, str], words: str) -> Failure:
    status, told = _status(group), _told(group)
    if not _says_cause(told):
        told = f"{told}\n{words}"
    return Failure(_recipient(group), is_dead(status, told), _why(status, _diagnostic(group) or words))


def _delay(group: Mapping[str, str]) -> Failure:
    status = _status(group)
    return Failure(_recipient(group), False, _why(status, _diagnostic(group) or "delivery is delayed"))


def _status(group: Mapping[str, str]) -> str:
    found = _CODE.search(group.get("status", ""))
    return found[0] if found else ""


def _diagnostic(group: Mapping[str, str]) -> str:
    return re.sub(r"^\s*[\w.-]+\s*;\s*", "", group.get("diagnostic-code", "")).strip()


def _told(group: Mapping[str, str]) -> str:
    """All that the group says of the cause: the server's words, and what stands beside the code."""
    return " ".join(
        (_diagnostic(group), _CODE.sub("", group.get("status", "")), group.get("x400-supplementary-info", ""))
    )


def _why(status: str, words: str) -> str:
    said = one_line(" ".join(words.split()))[:_SHOWN]
    return said if not status or status in said else f"{status} {said}".strip()


def _recipient(group: Mapping[str, str]) -> str | None:
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        kind, semicolon, value = group.get(name, "").partition(";")
        address = read_address(_decoded(value if semicolon else kind))
        if address is not None:
            return address
    return None


_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")
_UNITEXT: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


def _decoded(value: str) -> str:
    """An address as it was before xtext (RFC 3461) or unitext (RFC 6533) wrote it."""
    value = _UNITEXT.sub(lambda match: _character(match[1]), value)
    plain = _XTEXT.sub(lambda match: _character(match[1]), value)
    # A plus sign is common in addresses, and +40 is `@` only where no other one stands.
    return plain if "@" not in value else value


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number <= 0x10FFFF else ""


_ADDRESS: Final = re.compile(r"[\w.!#$%&'*+/?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,10}")


def read_address(text: str) -> str | None:
    """The first e-mail address in the text, or None."""
    return next(addresses_in(text), None)


def addresses_in(text: str) -> Iterator[str]:
    """Every e-mail address in the text, in order, without quotes and trailing dots."""
    for match in _ADDRESS.finditer(text):
        address = match[0].strip("'`*.").removeprefix("mailto:")
        if "@" in address[1:]:
            yield address


# --- failures told in plain text --------------------------------------------------------------------


def failure_in_text(words: str, *, named: Iterable[str], sent_to: Sequence[str], not_about: Iterable[str]) -> Failure:
    """The failure that a text without a report tells of, its subject first; it may name no recipient.

    `named` are addresses that a header or a library gives, `sent_to` the recipients of the letter that came
    back, `not_about` the addresses of the report itself.
    """
    recipient = _named_in(words, list(named), sent_to, {each.lower() for each in not_about})
    return Failure(recipient, not _says_delay(words) and is_dead("", words), _why("", _telling(words)))


def _named_in(words: str, named: list[str], sent_to: Sequence[str], not_about: set[str]) -> str | None:
    originals = {each.lower() for each in sent_to}
    found = [each for each in addresses_in(words) if each.lower() not in not_about and not _is_daemon(each)]
    ours = [each for each in named or found if each.lower() in originals]
    return next(iter((*ours, *named, *_marked(words, found), *sent_to, *found)), None)


def _is_daemon(address: str) -> bool:
    return DAEMON.fullmatch(address.partition("@")[0]) is not None


DAEMON: Final = re.compile(
    r"mailer?[._-]?daemon|mdaemon|post(?:master|office|mast)|[\w.-]*mailer-daemon|mail-?(?:delivery|system|er)"
    r"|smtp(?:-daemon)?|bounces?|no-?reply-bounces?|mailadmin|e?mail\.?daemon|maildelivery|daemon",
    re.IGNORECASE,
)

_MARKS: Final = re.compile(
    r"(?:fail(?:ed|ure)|undeliver\w+|not (?:be )?(?:delivered|reached|sent)|rejected|recipients?|address(?:es|"
    r"\(es\))?|"
    r"reach|unknown|fatal errors?|problem|unable to deliver|zugestellt|empf[aä]nger|destinatari[oa]s?|destinataires?|"
    r"получател\w+|収件者|宛先|收件人)[^@\n]{0,60}:?\s{0,8}\Z",
    re.IGNORECASE,
)


def _marked(words: str, found: list[str]) -> Iterator[str]:
    """Addresses that follow words such as `could not be delivered to`."""
    for address in found:
        at = words.find(address)
        if _MARKS.search(words[max(0, at - 200) : at].rstrip("<[('\" ")):
            yield address


_DELAY: Final = re.compile(
    r"\A(?:delayed |warning: )|"
    r"not yet been delivered|has been delayed|is delayed|delivery (?:is |has been )?(?:temporarily )?(?:delayed|"
    r"deferred)|"
    r"could not send message for past|warning message only|will (?:be|continue|keep|try|retry)[^.]{0,30}(?:retr|"
    r"try|again)|"
    r"still (?:being )?(?:tr[iy]|attempt|queued)|attempts will (?:continue|be made)|do not need to resend|"
    r"delivery incomplete|"
    r"delivery status notification \(delay|temporary (?:problem|failure) delivering|"
    r"noch nicht zugestellt|verz[oö]gert|zustellung (?:wird|wurde) .{0,40}(?:erneut|versucht)|"
    r"n'a pas encore [eé]t[eé]|retard[eé]|todav[ií]a no|se seguir[aá] intentando|ainda n[aã]o foi|"
    r"non [eè] ancora stat|配信が遅延|遅れて|尚未|延迟",
    re.IGNORECASE,
)


def _says_delay(words: str) -> bool:
    """Whether the text warns of a delay: the server has not given up."""
    return _DELAY.search(words[:4000]) is not None


def _telling(words: str) -> str:
    """The line in which the server's code or the cause stands, else the beginning."""
    lines = [line for line in words.splitlines() if line.strip()]
    coded = (line for line in lines if _CODE.search(line) or _REPLY_CODE.search(line))
    told = (line for line in lines if _NO_SUCH_USER.search(line))
    return next(coded, None) or next(told, None) or " ".join(lines[:3])


# --- is the address dead? ---------------------------------------------------------------------------

_CODE: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
_REPLY_CODE: Final = re.compile(r"(?<![\d.#-])[45][0-5]\d(?=[\s-])")

_NO_SUCH_USER: Final = re.compile(
    r"user(?:name)?(?: is)? (?:unknown|not found|invalid|does ?n.t exist|doesn.t have)|unknown (?:user|recipient|"
    r"local|mailbox|account|"
    r"address|or illegal alias)|no such (?:user|mailbox|recipient|account|person|address|e-?mail|local|customer|"
    r"domain)|"
    r"no (?:mailbox|user|account|recipient)s? (?:here|by that|with that|found|exists?)|"
    r"(?:user|mailbox|account|recipient|address|alias|e-?mail|customer)\b[^.\n]{0,70}\b(?:does(?: not|n.t) exist|"
    r"not (?:be )?found|is unknown|unknown\b|is (?:invalid|not valid)|no longer)|"
    r"(?:invalid|bad|non-?existent|incorrect) (?:\w+ )?(?:recipient|mailbox|user|address|account|domain)|"
    r"not (?:a )?(?:known|valid|listed|our|local) (?:user|recipient|mailbox|customer|address|account|in )|"
    r"(?:couldn.t|could not|wasn.t|was not|cannot|can.t) be found|not found at|address not found|recipientnotfound|"
    r"recipient name is not recognized|recipient not exist|no valid (?:recipients|hosts)|there is no (?:user|such|"
    r"account|mailbox)|"
    r"(?:this|the|that) user does(?: not|n.t)|account (?:has been |is |was )?(?:closed|deleted|terminated|removed|"
    r"disabled|inactive|"
    r"deactivated|not active|expired|discontinued)|mailbox (?:has been |is |was )?(?:closed|deleted|removed|"
    r"disabled|inactive|deactivated|"
    r"no longer)|user (?:has been |is |was )?(?:closed|deleted|removed|disabled|inactive|suspended|deactivated)|"
    r"(?:no longer|not) (?:employed|with (?:the|this|our) (?:company|organi)|works? here|in use|available at|"
    r"valid|active)|"
    r"has left the (?:company|organi)|has moved|user has moved|moved to|"
    r"account that you tried to reach (?:does not exist|is disabled|is inactive)|unrouteable address|"
    r"access denied.{0,20}as\(201806281\)|"
    r"recipient address rejected: (?:access denied|undeliverable|user|unknown|invalid|no )|mailbox name not allowed|"
    r"benutzer (?:ist )?(?:unbekannt|existiert nicht)|unbekannte[rns]? (?:empf|benutzer|adress)|existiert nicht|"
    r"(?:adresse|empf[aä]nger|postfach)[^.\n]{0,50}(?:nicht gefunden|unbekannt|ung[uü]ltig)|konnte nicht gefunden|"
    r"n.existe pas|introuvable|(?:utilisateur|destinataire|adresse)[^.\n]{0,30}inconnu|n.a pas [eé]t[eé] trouv|"
    r"no existe|no se (?:ha )?enc[ou]+ntr|usuario desconocido|n[aã]o existe|n[aã]o foi encontrad|desconhecid|"
    r"non esiste|inesistente|utente sconosciuto|non [eè] stat[oa] trovat|"
    r"bestaat niet|onbekende gebruiker|niet (?:worden )?gevonden|nie istnieje|nieznany|nie znaleziono|"
    r"finns inte|findes ikke|finnes ikke|ei l[oö]ydy|bulunamad|"
    r"не существует|не найден|неизвестн|нет такого|отсутству|存在しません|見つかりません|宛先不明|不存在|找不到",
    re.IGNORECASE,
)
_NO_SUCH_HOST: Final = re.compile(
    r"host(?: or domain)?(?: name)? (?:is )?(?:unknown|not found|name (?:not found|lookup failure))|unknown host|"
    r"domain (?:name )?(?:does(?: not|n.t) exist|"
    r"not found|is unknown|couldn.t be found)|no such (?:host|domain)|nxdomain|non-?existent (?:host|domain)|"
    r"does not accept (?:mail|e-?mail|incoming)|null ?mx|no mail is accepted|unrouteable mail domain|"
    r"point to non-existent hosts|couldn.t find any host named|can.?t find (?:any )?host|"
    r"domain of .{1,80} (?:is )?not exist|"
    r"bad destination (?:system|host)|domain has no mail exchangers?|type=(?:mx|a|"
    r"aaaa): host(?: or domain name)? not found",
    re.IGNORECASE,
)
_FULL: Final = re.compile(
    r"(?:mailbox|mail box|inbox|account|quota|postfach|user|folder|bo[iî]te)[^.\n]{0,60}\b(?:full|over ?quota|"
    r"exceed\w*|[uü]berschritten|voll|pleine)|"
    r"over ?quota|disk quota|quota[^.\n]{0,30}exceed|exceed\w*[^.\n]{0,40}(?:quota|storage|mailbox|size limit)|"
    r"out of (?:disk|storage|space)|"
    r"insufficient (?:disk|storage|system storage)|not enough (?:disk|storage|space)|no space|"
    r"buz[oó]n[^.\n]{0,30}(?:llen|lena)|"
    r"caixa[^.\n]{0,30}cheia|casella[^.\n]{0,30}piena|переполнен|容量|已满",
    re.IGNORECASE,
)
_POLICY: Final = re.compile(
    r"\bspam|\bblocked|black-?list|block-?list|\brbl\b|spamhaus|reputation|\bpolicy\b|not authori[sz]ed|"
    r"authentication|dmarc|"
    r"\bspf\b|\bdkim\b|unsolicited|\bvirus|malware|banned|prohibited|relay(?:ing)? (?:denied|not|access)|"
    r"unable to relay|"
    r"not permitted|\bcontent\b|rejected (?:for|by|due|because)|suspicious|restricted|not allowed|permission|"
    r"access denied|"
    r"sender (?:address |was |is )?(?:rejected|denied|blocked|not)|reverse dns|ptr record|greylist|rate limit|"
    r"too many",
    re.IGNORECASE,
)
_TOO_LARGE: Final = re.compile(
    r"too (?:large|big|long)|(?:message|mail)[^.\n]{0,30}size|size[^.\n]{0,30}(?:exceed|limit)|"
    r"exceeds? (?:the )?(?:maximum|size)|zu gro[sß]",
    re.IGNORECASE,
)
_TROUBLE: Final = re.compile(
    r"timed? ?out|time-?out|connection (?:refused|reset|dropped|lost|closed)|no route to host|network|unreachable|"
    r"loop|too many hops|"
    r"hop count|expired|retry time|could ?n.t (?:be )?connect|cannot connect|unable to connect|did not respond|"
    r"not responding|"
    r"temporar|try again|service (?:un|not )available|resources|local error|system error|mailer error|"
    r"internal error|configuration|"
    r"queue (?:too long|time)|5 days|delivery time|\battempts\b|aborted after|command died|"
    r"unable[ -]to[ -]transfer|encountered an error",
    re.IGNORECASE,
)

# Enhanced codes (RFC 3463) that say by themselves whether the address is dead.
_DEAD_CODES: Final = frozenset(
    {"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4", "5.4.310", "5.1.351"}
)
_VAGUE: Final = re.compile(r"5\.(?:0\.\d+|5\.\d+)")


def _says_cause(words: str) -> bool:
    causes = (_NO_SUCH_USER, _NO_SUCH_HOST, _FULL, _POLICY, _TOO_LARGE, _TROUBLE)
    return bool(_CODE.search(words)) or any(cause.search(words) for cause in causes)


def is_dead(status: str, words: str) -> bool:
    """Whether a definite failure says that no letter will ever reach the address.

    A full mailbox, a policy, a size or a network's trouble leaves the address alone, also with a code of class 5.
    An enhanced code outranks the class of the reply, and one beside the server's words outranks a vague one.
    """
    codes = [status, *_CODE.findall(words)]
    code = next((each for each in codes if each and not each.endswith(".0.0")), status)
    if code.startswith("4."):
        return False
    if _NO_SUCH_USER.search(words) or _NO_SUCH_HOST.search(words):
        return not (code.startswith("5.2.2") or _FULL.search(words))
    if code in _DEAD_CODES:
        return True
    if code and not _VAGUE.fullmatch(code):
        return False
    return not any(cause.search(words) for cause in (_FULL, _POLICY, _TOO_LARGE, _TROUBLE))
