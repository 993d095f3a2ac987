"""People as rows of a table: what its columns mean, what a row says of somebody, and cells that spreadsheets obey."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from drumbeat.domain.calendar import zone_named
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.person import normalize_email, normalize_phone

LONGEST_CELL: Final = 255
LONGEST_TEXT: Final = 65_535
MOST_COLUMNS: Final = 200
CUSTOM: Final = "custom."
FIELDS: Final = (
    *("first_name", "last_name", "organization_name", "title", "email", "phone", "mobile", "time_zone", "status"),
    *("website", "description", "tags"),
    *("address.line1", "address.city", "address.postal_code", "address.state", "address.country"),
)
"""What a column may hold, beside `custom.NAME`; an empty name leaves a column out."""
_LONG = frozenset(("description", "website", "tags"))
_OTHER_NAMES: Final = {
    "e_mail": "email",
    "email_address": "email",
    "e_mail_address": "email",
    "mail": "email",
    "firstname": "first_name",
    "given_name": "first_name",
    "lastname": "last_name",
    "surname": "last_name",
    "family_name": "last_name",
    "name": "last_name",
    "company": "organization_name",
    "company_name": "organization_name",
    "organization": "organization_name",
    "organisation": "organization_name",
    "job_title": "title",
    "position": "title",
    "phone_number": "phone",
    "telephone": "phone",
    "mobile_phone": "mobile",
    "mobile_number": "mobile",
    "cell": "mobile",
    "timezone": "time_zone",
    "lead_status": "status",
    "url": "website",
    "notes": "description",
    "labels": "tags",
    "street": "address.line1",
    "address": "address.line1",
    "line1": "address.line1",
    "city": "address.city",
    "zip": "address.postal_code",
    "zip_code": "address.postal_code",
    "postal_code": "address.postal_code",
    "postcode": "address.postal_code",
    "state": "address.state",
    "country": "address.country",
}
# What our own files say beside what can be taken in.
_IGNORED = frozenset(("id", "kind", "owner_id", "creator_id", "created_at", "updated_at", "row", "reason"))


def propose(headers: Sequence[str]) -> list[str]:
    """What each column most likely holds, each field once; an unknown one becomes a custom field of its name."""
    proposed: list[str] = []
    for header in headers:
        plain = re.sub(r"\W+", "_", header.strip().lower().removeprefix(CUSTOM)).strip("_")
        field = plain if plain in FIELDS else _OTHER_NAMES.get(plain, header.strip())
        if field not in FIELDS:
            named = header.strip() in FIELDS
            field = header.strip() if named else _custom(header)
        if plain in _IGNORED or field in proposed:
            field = ""
        proposed.append(field)
    return proposed


def _custom(header: str) -> str:
    name = header.strip().removeprefix(CUSTOM)
    return f"{CUSTOM}{name[:100]}" if name else ""


def check_mapping(mapping: Sequence[str], columns: int) -> None:
    """Refuse a mapping that does not name each column once, or names what there is not."""
    if len(mapping) != columns:
        raise IncorrectValue(f"Name all {columns} columns; an empty name leaves one out.", field="mapping")
    named = [name for name in mapping if name]
    for name in named:
        if name not in FIELDS and not (name.startswith(CUSTOM) and 0 < len(name) - len(CUSTOM) <= 100):
            known = ", ".join(FIELDS)
            raise IncorrectValue(f"There is no field {name!r}; there are: {known}, custom.NAME.", field="mapping")
        if named.count(name) > 1:
            raise IncorrectValue(f"Two columns hold {name!r}; leave one of them out.", field="mapping")
    if not {"email", "first_name", "last_name", "organization_name"} & set(named):
        raise IncorrectValue("Say which column holds the e-mail address, or a name.", field="mapping")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What a row says of somebody; empty cells say nothing."""

    fields: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    address: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)


def read_row(mapping: Sequence[str], cells: Sequence[str]) -> PersonRow:
    """What a row says; IncorrectValue names the column and the fix."""
    fields: dict[str, str] = {}
    details: dict[str, Any] = {}
    address: dict[str, str] = {}
    custom: dict[str, str] = {}
    for name, cell in zip(mapping, cells, strict=False):
        text = original(cell).strip()
        if not name or not text:
            continue
        _check_length(name, text)
        if name.startswith(CUSTOM):
            custom[name.removeprefix(CUSTOM)] = text
        elif name.startswith("address."):
            address[name.removeprefix("address.")] = text
        elif name == "tags":
            details["tags"] = list(dict.fromkeys(filter(None, (each.strip() for each in re.split("[;,]", text)))))
        elif name in _LONG:
            details[name] = text
        else:
            fields[name] = _read(name, text)
    if not {"email", "first_name", "last_name", "organization_name"} & fields.keys():
        raise IncorrectValue("The row holds neither an e-mail address nor a name.", field="row")
    return PersonRow(fields, details, address, custom)


def _check_length(name: str, text: str) -> None:
    most = LONGEST_TEXT if name in _LONG or name.startswith(CUSTOM) else LONGEST_CELL
    if len(text) > most:
        raise IncorrectValue(f"It has {len(text)} characters; at most {most} fit.", field=name)
    if "\0" in text:
        raise IncorrectValue("It holds a NUL character; leave it out.", field=name)


def _read(name: str, text: str) -> str:
    if name == "email":
        return normalize_email(text)
    if name == "time_zone":
        return zone_named(text).key
    if name in ("phone", "mobile") and text.startswith("+"):
        return _phone(name, text)
    return text


def _phone(name: str, text: str) -> str:
    try:
        return normalize_phone(text)
    except IncorrectValue as error:
        raise IncorrectValue(error.detail, field=name) from None


# Spreadsheets take a cell that begins so for a formula, and would run it.
_OBEYED = ("=", "+", "-", "@", "\t", "\r", "\n")


def neutral(text: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would take for a formula; one of its own is doubled."""
    return f"'{text}" if text.startswith((*_OBEYED, "'")) else text


def original(cell: str) -> str:
    """The cell without the apostrophe that `neutral` put before it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_OBEYED, "'")) else cell
