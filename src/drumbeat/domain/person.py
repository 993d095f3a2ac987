"""Leads and contacts, their addresses, and the fields merge tags may see."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from msgspec import Struct, field

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.mac import mac

# What the libraries accept too, for the addresses and numbers nearly everybody has; a property test
# holds these against them.
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9]{1,30}(?:[._+-][a-z0-9]{1,20}){0,2}@(?:[a-z0-9]{2,30}\.){1,3}"
    r"(?!(?:arpa|invalid|local|localhost|onion)\Z)[a-z]{2,20}\Z",
    re.IGNORECASE | re.ASCII,
)
# Postmaster@ and postmaster@ are one mailbox (RFC 2142).
_ROLES = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)
_PLAIN_NANP = re.compile(r"\+1[2-9][0-9]{9}\Z", re.ASCII)


class PersonKind(StrEnum):
    """The two kinds of person; each kind has its own ids."""

    LEAD = "lead"
    CONTACT = "contact"


# Every letter and every enrollment makes one, and a dataclass of so many fields takes ten times as long to make.
class Person(Struct, frozen=True):
    """A lead or a contact.

    `custom` holds the account's own fields, `details` what is only kept and shown (tags, addresses, website,
    ...), by the names the Sell API gives them. A contact may be an organization, whose name is the
    `organization_name`; `organization_id` is the contact somebody belongs to.
    """

    account_id: int
    kind: PersonKind
    id: int
    first_name: str | None
    last_name: str | None
    organization_name: str | None
    title: str | None
    email: str | None
    address_hash: str | None
    phone: str | None
    time_zone: str | None
    owner_id: int
    creator_id: int
    created_at: datetime
    updated_at: datetime
    custom: Mapping[str, Any] = field(default_factory=dict)
    mobile: str | None = None
    status: str | None = None
    source_id: int | None = None
    is_organization: bool = False
    organization_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """First and last name, or the organization's, as a letter's To shows it."""
        if self.is_organization:
            return self.organization_name or ""
        return " ".join(part for part in (self.first_name, self.last_name) if part)


NEW_LEAD = "New"
_WORD = re.compile(r"[^\s,;()<>\"/\0]+")
_LONGEST_WORD = 60  # characters; of longer ones the beginning is compared
_LONGEST_SOUGHT = 255  # characters; what is longer is kept, and nobody is found by it


def values_to_find(person: Person) -> dict[str, str]:
    """What a person may be found by that stands in custom fields and in the address, as `findable` writes it."""
    if not person.custom and not person.details:
        return {}
    named = {f"custom.{name}": value for name, value in person.custom.items()}
    address = person.details.get("address") or {}
    named |= {f"address.{part}": value for part, value in address.items()}
    found = {field: findable(value) for field, value in named.items()}
    return {field: text for field, text in found.items() if text is not None}


def search_words(person: Person) -> frozenset[str]:
    """The words a person is searched by: of their names and their organization's, and the address."""
    return words_in(person.first_name, person.last_name, person.organization_name, person.email)


def words_in(*texts: str | None) -> frozenset[str]:
    """The words of texts as search compares them: without case and accents, an address as one word."""
    return frozenset(chain.from_iterable([_words(text) for text in texts if text]))


@lru_cache(maxsize=8192)
def _words(text: str) -> tuple[str, ...]:
    folded = text.casefold()
    if not folded.isascii():
        apart = unicodedata.normalize("NFKD", folded)
        folded = "".join(mark for mark in apart if not unicodedata.combining(mark)).casefold()
    return tuple([word[:_LONGEST_WORD] for word in _WORD.findall(folded)])


def findable(value: object) -> str | None:
    """A plain value as the text somebody is found by; None if nobody is found by such a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value) if isinstance(value, (str, int, float)) else ""
    return text if 0 < len(text) <= _LONGEST_SOUGHT else None


def person_values(person: Person) -> dict[str, Any]:
    """What merge tags may see of a person, as `person.*`, `lead.*` and `contact.*`."""
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "name": person.name,
        "organization_name": person.organization_name,
        "title": person.title,
        "email": person.email,
        "phone": person.phone,
        "custom": dict(person.custom),
    }


def address_key(email: str) -> str:
    """The human behind the address: the e-mail trimmed and case-folded."""
    return email.strip().casefold()


def address_hash(key: bytes, account_id: int, email: str) -> str:
    """The address key as a keyed hash of its account: 32 hex digits."""
    return mac(key, "address", account_id, address_key(email))[:16].hex()


def normalize_email(text: str) -> str:
    """The address in its normal form; IncorrectValue on `email` says what is wrong with it."""
    text = text.strip()
    if _PLAIN_EMAIL.match(text):
        local, _, domain = text.rpartition("@")
        if local.lower() in _ROLES:
            local = local.lower()
        return f"{local}@{domain.lower()}"
    return _validated_email(text)


@lru_cache(maxsize=4096)
def _validated_email(text: str) -> str:
    if len(text) > 254:
        raise IncorrectValue("An e-mail address has at most 254 characters.", field="email")
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise IncorrectValue(str(error), field="email") from None


NOT_MAILABLE = "Few mail servers take an address with other letters than ASCII's before the @."


def is_mailable(email: str) -> bool:
    """Whether letters can be sent to a valid address; NOT_MAILABLE says why not."""
    return email.rpartition("@")[0].isascii()


def normalize_phone(text: str) -> str:
    """The number in E.164 (+15551234567); IncorrectValue on `phone` if it is none with a country code."""
    text = text.strip()
    if _PLAIN_NANP.match(text):
        return text
    return _parsed_phone(text)


@lru_cache(maxsize=4096)
def _parsed_phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise IncorrectValue("Write the number with its country code, such as +15551234567.", field="phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
