"""/v2/sync: a change feed is not kept, so there is never anything to fetch; clients that ask get on with it."""

from __future__ import annotations

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import Scope
from drumbeat.domain.errors import MalformedHeader, NotFound
from drumbeat.http.openapi import Parameter, described
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_attributes, read_parameters, shortened
from drumbeat.http.sell_v2.writing import admit_to, no_content

_DEVICE = "x-basecrm-device-uuid"


class Acknowledged(msgspec.Struct, forbid_unknown_fields=True):
    """What a client has kept of a queue."""

    ack_keys: list[str] | None = None


_DEVICES = (
    Parameter(
        "X-Basecrm-Device-UUID",
        "The id of the device that synchronizes.",
        {"type": "string", "minLength": 1},
        place="header",
        required=True,
    ),
)


@post(
    "/sync/start",
    status_code=204,
    sync_to_thread=True,
    opt=described("Start a synchronization", scope=Scope.READ, parameters=_DEVICES, status=204),
)
def start_sync(request: AnyRequest) -> Response[None]:
    """204, as for a device that is up to date: no feed of changes is kept. Poll the lists by updated_at instead.

    The header X-Basecrm-Device-UUID names the device.
    """
    _admit_device(request)
    return no_content()


@readable(
    "/sync/{session_id:str}/queues/main",
    opt=described("Fetch from a synchronization", scope=Scope.READ, parameters=_DEVICES, status=204, refusals=(404,)),
)
def fetch_sync(request: AnyRequest, session_id: FromPath[str]) -> Response[None]:
    """404: as no synchronization ever starts, there is none to fetch from."""
    _admit_device(request)
    raise NotFound(f"There is no sync session {shortened(session_id)}.")


@post(
    "/sync/ack",
    status_code=202,
    sync_to_thread=True,
    opt=described(
        "Acknowledge what was fetched",
        scope=Scope.READ,
        parameters=_DEVICES,
        status=202,
        body=Acknowledged,
        example={"data": {"ack_keys": []}},
    ),
)
def acknowledge_sync(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """202; nothing was handed out, so nothing is to be remembered."""
    _admit_device(request)
    sent = read_attributes(request, body, Acknowledged.__struct_fields__)
    sent.texts("ack_keys")
    sent.check()
    return Response(b"", status_code=202, media_type="text/plain")


def _admit_device(request: AnyRequest) -> None:
    admit_to(request, Scope.READ)
    read_parameters(request)
    if not request.headers.get(_DEVICE, "").strip():
        raise MalformedHeader("Send X-Basecrm-Device-UUID with the id of the device that synchronizes.")


handlers = [start_sync, fetch_sync, acknowledge_sync]
