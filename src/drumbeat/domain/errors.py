"""Every error Drumbeat raises, as one tree; a class's docstring is its message.

DrumbeatError
|-- Refused                      the caller's to mend
|   |-- NotFound
|   |-- Unauthorized
|   |   |-- CredentialMissing
|   |   |-- CredentialMalformed
|   |   |-- CredentialExpired
|   |   |-- NotSignedIn
|   |   `-- WrongPassword        or an address nobody signs in with
|   |-- Forbidden
|   |   |-- InsufficientScope
|   |   |-- AdminsOnly
|   |   |-- CrossSite            it may come from another site's page
|   |   `-- SequencesDisabled
|   |-- Malformed                the request cannot be read
|   |   |-- MalformedBody
|   |   |-- MalformedParameter
|   |   `-- MalformedHeader
|   |-- Invalid                  the request was read; a named field is wrong
|   |   |-- UnknownField
|   |   |-- MissingField
|   |   |-- BlankField
|   |   |-- WrongType
|   |   |-- IncorrectValue
|   |   |   `-- Unsendable       it cannot stand in the header of a letter
|   |   `-- AlreadyExists
|   |-- InvalidMany              several of those at once
|   |-- NotNow                   acceptable later, not in the present state
|   |   |-- SequenceNotActive
|   |   |-- SequenceEmpty
|   |   |-- VariantUnavailable
|   |   |-- ActorUnavailable
|   |   |-- ChangedMeanwhile     by somebody else, since the caller looked at it
|   |   `-- KeyAtWork
|   |-- SeveralMatch             a filter that is to fit one record fits more
|   |-- KeyReused
|   |-- LinkUsedUp
|   |-- TooManyCalls
|   |   `-- TooManyAttempts
|   |-- NoEligibleContacts
|   |-- TemplateSyntax
|   |   `-- TemplateFails        it parses, yet cannot be rendered
|   `-- InFile                   a refusal with the file and line that caused it
|-- MissingTags                  a letter cannot be written for this person
|-- GrantRefused                 a mailbox's provider takes its OAuth grant no more
|-- InboxUnreachable             what comes back to a mailbox cannot be read
|-- Misconfigured                the operator's to mend, at start
|   |-- MasterKeyMissing
|   |-- MasterKeyWrong
|   |-- DatabaseUnsafe
|   |-- PortUnavailable
|   `-- TestClockRefused
`-- Unavailable                  the world is in the way; trying again later may work
    |-- DatabaseBusy
    |-- DatabaseUnreachable
    |-- DatabaseUnwritable
    |-- JournalUnwritable        no letter leaves whose answer could not be kept
    `-- DatabaseDamaged          the operator's to mend, all the same
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any


class DrumbeatError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str = "", *, field: str | None = None) -> None:
        self.detail = detail
        self.field = field
        super().__init__(f"{self.message} {detail}".strip())

    @property
    def message(self) -> str:
        """The sentence of the class's docstring."""
        return cleandoc(type(self).__doc__ or "").split("\n\n")[0].replace("\n", " ")


class Refused(DrumbeatError):
    """The request was refused."""


class NotFound(Refused):
    """There is no such record."""


class Unauthorized(Refused):
    """The request is not authorized."""


class CredentialMissing(Unauthorized):
    """The request carries no token or key."""


class CredentialMalformed(Unauthorized):
    """The token or key does not look like one."""


class CredentialExpired(Unauthorized):
    """The token or key has expired."""


class NotSignedIn(Unauthorized):
    """Sign in first."""


class WrongPassword(Unauthorized):
    """The e-mail address or the password is wrong."""


class Forbidden(Refused):
    """The request is not allowed."""


class InsufficientScope(Forbidden):
    """The credential lacks the scope this needs."""


class AdminsOnly(Forbidden):
    """Only an admin may do this."""


class CrossSite(Forbidden):
    """The request may come from another site."""


class SequencesDisabled(Forbidden):
    """Sequences are switched off for this account."""


class Malformed(Refused):
    """The request cannot be read."""


class MalformedBody(Malformed):
    """The body cannot be read."""


class MalformedParameter(Malformed):
    """A query parameter is not acceptable."""


class MalformedHeader(Malformed):
    """A header is not acceptable."""


class Invalid(Refused):
    """A field is not acceptable."""


class UnknownField(Invalid):
    """There is no such field."""


class MissingField(Invalid):
    """The field is required."""


class BlankField(Invalid):
    """The field must not be blank."""


class WrongType(Invalid):
    """The field has the wrong type."""


class IncorrectValue(Invalid):
    """The field's value is not acceptable."""


class Unsendable(IncorrectValue, ValueError):
    """The value cannot stand in the header of a letter."""


class AlreadyExists(Invalid):
    """There is one already."""


class InvalidMany(Refused):
    """Several fields are not acceptable."""

    def __init__(self, errors: Sequence[Invalid]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.field}: {e}" for e in errors))


class NotNow(Refused):
    """This is not possible in the present state."""


class SequenceNotActive(NotNow):
    """The sequence is not active."""


class SequenceEmpty(NotNow):
    """The sequence has no steps."""


class VariantUnavailable(NotNow):
    """Variant B is not active or has no steps."""


class ActorUnavailable(NotNow):
    """There is no active user on whose behalf to send."""


class ChangedMeanwhile(NotNow):
    """It changed meanwhile."""


class SeveralMatch(Refused):
    """Several records match."""


class KeyAtWork(NotNow):
    """A call with this Idempotency-Key is still at work."""


class KeyReused(Refused):
    """The Idempotency-Key was used for another request."""


class TooManyCalls(Refused):
    """The rate limit is exceeded."""


class TooManyAttempts(TooManyCalls):
    """There were too many attempts."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        minutes = -(-seconds // 60)
        super().__init__(f"Try again in {minutes} minute{'s' if minutes > 1 else ''}.")


class LinkUsedUp(Refused):
    """The link is not valid any more."""


class NoEligibleContacts(Refused):
    """Every contact is invalid or unsubscribed."""

    def __init__(self, results: Sequence[Mapping[str, Any]]) -> None:
        self.results = tuple(results)
        super().__init__()


class TemplateSyntax(Refused):
    """The template does not parse."""

    def __init__(self, detail: str, *, part: str, line: int | None = None) -> None:
        self.part = part
        self.line = line
        where = f"{part}, line {line}" if line else part
        super().__init__(f"In {where}: {detail}", field=part)


class TemplateFails(TemplateSyntax):
    """The template cannot be rendered."""


class InFile(Refused):
    """The file is not acceptable."""

    def __init__(self, detail: str, *, file: str, line: int) -> None:
        self.file = file
        self.line = line
        super().__init__(detail, field=f"{file}:{line}")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.detail}"


class MissingTags(DrumbeatError):
    """The letter needs values this person does not have."""

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = tuple(tags)
        super().__init__(", ".join(tags))


class GrantRefused(DrumbeatError):
    """The provider does not renew the mailbox's grant; grant it anew."""


class InboxUnreachable(DrumbeatError):
    """What comes back to the mailbox cannot be read."""

    def __init__(self, stage: str, said: str) -> None:
        self.stage = stage
        super().__init__(f"{stage}: {said}")


class Misconfigured(DrumbeatError):
    """Drumbeat is not set up to start."""


class MasterKeyMissing(Misconfigured):
    """The master key that encrypted this database is missing."""


class MasterKeyWrong(Misconfigured):
    """The master key does not fit this database."""


class DatabaseUnsafe(Misconfigured):
    """The database's settings would break the promise never to send twice."""


class PortUnavailable(Misconfigured):
    """The address to listen on cannot be used."""


class TestClockRefused(Misconfigured):
    """The test clock may not run."""


class Unavailable(DrumbeatError):
    """This cannot be done at the moment; try again later."""


class DatabaseBusy(Unavailable):
    """The database is busy."""


class DatabaseUnreachable(Unavailable):
    """The database cannot be reached."""


class DatabaseUnwritable(Unavailable):
    """The database cannot be written: it is read-only or full."""


class JournalUnwritable(Unavailable):
    """The journal of sent letters cannot be written."""


class DatabaseDamaged(Unavailable):
    """The database's file is damaged, or no SQLite database; restore it from your backup."""
