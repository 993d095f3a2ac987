"""What every writing route under /v2 begins and ends with."""

from __future__ import annotations

from litestar import Response

from drumbeat.domain.access import Scope
from drumbeat.http.auth import Caller, admit
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.reading import read_parameters


def admit_writer(request: AnyRequest) -> Caller:
    """The caller, who may write; the query must be empty."""
    caller = admit_to(request, Scope.WRITE)
    read_parameters(request)
    return caller


def admit_to(request: AnyRequest, scope: Scope) -> Caller:
    """The caller, who may do this."""
    with parts_of(request).world.database.read() as snapshot:
        return admit(snapshot, request, scope)


def no_content() -> Response[None]:
    """The answer that has no body."""
    return Response(None, status_code=204)
