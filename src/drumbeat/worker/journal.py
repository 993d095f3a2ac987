"""The sent journal: what mail servers answered after the final dot, on this machine's disk before anything else.

A worker that dies between an answer and its commit leaves the answer here, and the next one reads it before it claims
anything. What was read stays for some days: it also proves what a database that fell back has forgotten.
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from drumbeat.domain.errors import JournalUnwritable
from drumbeat.operations.replay import Entry

_SEGMENT: Final = 2 * 2**20  # bytes; room for all that a worker may have out at once, many times over
_LONGEST: Final = 1200  # bytes of an entry
_LEAST: Final = 256 * _LONGEST  # what must be free before letters are claimed
_KEPT: Final = 2  # files of a worker at work, beside those with answers that are not settled
_LEFT: Final = 10  # files of workers that have ended
_SUFFIX: Final = ".sent"


@dataclass(slots=True)
class _Segment:
    """A file of the journal, its whole length taken from the disk when it is made."""

    path: Path
    file: int
    length: int
    unsettled: set[tuple[int, int, int, int]] = field(default_factory=set)


class Journal:
    """A worker's part of the journal; all its lanes write to it. `installation` names the database it belongs to."""

    def __init__(self, folder: Path, token: str, installation: str) -> None:
        self._folder = folder
        self._token = token
        self._header = f"drumbeat sent {installation}\n".encode()
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._owed: dict[str, int] = {}
        self._made = 0
        self._trouble: str | None = None

    def trouble(self) -> str | None:
        """Why answers cannot be kept, if they cannot: then nothing may be claimed."""
        with self._lock:
            if self._trouble is None and (not self._segments or self._room() < _LEAST):
                try:
                    self._add_segment()
                except JournalUnwritable as error:
                    return str(error)
            return self._trouble

    def reserve(self, lane: str, letters: int) -> None:
        """See that the answers to as many letters of a lane can be kept; JournalUnwritable if they cannot."""
        with self._lock:
            if self._trouble is not None:
                raise JournalUnwritable(self._trouble)
            owed = {**self._owed, lane: letters}
            if not self._segments or self._room() < sum(owed.values()) * _LONGEST:
                self._add_segment()
            self._owed = owed

    def note(self, lane: str, entries: Sequence[Entry]) -> None:
        """Keep answers; when this returns they are on disk. A disk that fails ends the sending, not the answers."""
        if not entries:
            return
        written = b"".join(map(_line, entries))
        with self._lock:
            segment = self._segments[-1] if self._segments else self._add_segment()
            try:
                os.pwrite(segment.file, written, segment.length)
                _to_disk(segment.file)
            except OSError as error:
                # What the disk holds now is not known, and asking it again proves nothing.
                self._trouble = f"{self._folder}: {error.strerror}. Mend the disk, and start the worker anew."
                return
            segment.length += len(written)
            segment.unsettled.update((entry.account_id, *entry.key) for entry in entries)
            self._owed[lane] = max(self._owed.get(lane, 0) - len(entries), 0)

    def settled(self, entries: Sequence[Entry]) -> None:
        """The database knows these answers now."""
        with self._lock:
            for segment in self._segments:
                segment.unsettled.difference_update((entry.account_id, *entry.key) for entry in entries)

    def kept(self) -> Iterator[Entry]:
        """What this worker noted and still keeps, oldest first."""
        with self._lock:
            paths = [segment.path for segment in self._segments]
        for path in paths:
            yield from _entries(path, self._header)

    def left_behind(self) -> Iterator[Entry]:
        """What workers that have ended noted for this database; those at work hold their files."""
        for path in self._others():
            yield from _entries(path, self._header)

    def tidy(self) -> None:
        """Take away what workers that have ended left of this installation, but for the last that says anything."""
        own = [path for path in self._others() if _first_line(path) == self._header]
        telling = [path for path in own if next(_entries(path, self._header), None) is not None]
        for path in {*own} - {*telling[-_LEFT:]}:
            path.unlink(missing_ok=True)

    def leave(self, lane: str) -> None:
        """Keep no more room for a lane."""
        with self._lock:
            self._owed.pop(lane, None)

    def close(self) -> None:
        """Let the files go; they stay where they are, as long as what is in them."""
        with self._lock:
            for segment in self._segments:
                with suppress(OSError):
                    os.ftruncate(segment.file, segment.length)
                os.close(segment.file)
            self._segments.clear()

    def _others(self) -> list[Path]:
        """The files nobody holds, oldest first."""
        with self._lock:
            own = {segment.path for segment in self._segments}
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(OSError):
                if path not in own and _is_free(path):
                    found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def _room(self) -> int:
        return _SEGMENT - self._segments[-1].length

    def _add_segment(self) -> _Segment:
        self._made += 1
        path = self._folder / f"{self._token}.{self._made}{_SUFFIX}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _take_room(file)
                os.pwrite(file, self._header, 0)
                os.fsync(file)
            except OSError:
                os.close(file)
                path.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise JournalUnwritable(f"{self._folder}: {error.strerror}. Make room, or set DRUMBEAT_DATA.") from None
        segment = _Segment(path, file, len(self._header))
        self._forget_settled()
        self._segments.append(segment)
        return segment

    def _forget_settled(self) -> None:
        """Let go of files all of whose answers are settled, but for the last of them."""
        for segment in self._segments[: 1 - _KEPT]:
            if not segment.unsettled:
                os.close(segment.file)
                segment.path.unlink(missing_ok=True)
                self._segments.remove(segment)


_to_disk = getattr(os, "fdatasync", os.fsync)  # a Mac has only the longer way


def _take_room(file: int) -> None:
    """Take a file's whole length from the disk now."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, _SEGMENT)
    else:
        os.pwrite(file, bytes(_SEGMENT), 0)


def installation_mark(hash_key: bytes) -> str:
    """What tells one installation's journal from another's, and nothing about its key."""
    return sha256(b"sent journal " + hash_key).hexdigest()[:32]


def _is_free(path: Path) -> bool:
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _line(entry: Entry) -> bytes:
    content = msgspec.json.encode(entry)
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _entries(path: Path, header: bytes) -> Iterator[Entry]:
    """The entries of a file that belongs to this installation, up to the first that was not written to its end."""
    if _first_line(path) != header:
        return
    with suppress(OSError, msgspec.DecodeError):
        for line in path.read_bytes().split(b"\n")[1:]:
            checksum, _, content = line.partition(b" ")
            if checksum != b"%08x" % zlib.crc32(content):
                return
            yield msgspec.json.decode(content, type=Entry)


def _first_line(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.readline(200)
    return b""
