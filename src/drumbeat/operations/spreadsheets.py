"""Reading CSV and Excel files row by row, whatever their encoding, in bounded memory; and writing CSV."""

from __future__ import annotations

import codecs
import csv
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from importlib import import_module
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile, ZipFile

from charset_normalizer import from_bytes

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.people_table import LONGEST_TEXT, MOST_COLUMNS, neutral

_CHUNK: Final = 1_000_000
_SAMPLE: Final = 100_000
_DELIMITERS: Final = ",;\t|"
_LARGEST_UNPACKED: Final = 1_000_000_000  # bytes an Excel file may unpack to
_USUAL: Final = "cp1252"  # what Western spreadsheets write; where several fit as well, it is this
_OLD_ENCODINGS: Final = (_USUAL, "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "cp932", "gb18030", "big5", "euc_kr")
_XLSX: Final = b"PK\x03\x04"


def read_table(file: BinaryIO, encoding: str | None = None) -> Iterator[list[str]]:
    """The rows of a CSV or an Excel file as texts, the headers first; IncorrectValue on `file` if it is neither.

    The file can be sought in, and is read from its beginning.
    """
    file.seek(0)
    is_excel = file.read(4) == _XLSX
    file.seek(0)
    rows = _read_excel(file) if is_excel else _read_csv(file, encoding or _encoding_of(file))
    headers = next(rows, [])
    while headers and not headers[-1].strip():
        headers.pop()
    if not any(header.strip() for header in headers):
        raise IncorrectValue("Its first row names the columns; this one is empty.", field="file")
    if len(headers) > MOST_COLUMNS:
        raise IncorrectValue(f"It has {len(headers)} columns; at most {MOST_COLUMNS} are read.", field="file")
    yield [header.strip() for header in headers]
    yield from rows


def _encoding_of(file: BinaryIO) -> str:
    """UTF-8 if all of it is; else what its mark says, or what it most likely is."""
    start = file.read(4)
    file.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if _is_utf8(file):
        return "utf-8-sig"
    file.seek(0)
    matches = from_bytes(file.read(_SAMPLE), cp_isolation=list(_OLD_ENCODINGS))
    best = matches.best()
    if best is None or any(each.encoding == _USUAL and each.chaos <= best.chaos for each in matches):
        return _USUAL
    return best.encoding


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _read_csv(file: BinaryIO, encoding: str) -> Iterator[list[str]]:
    file.seek(0)
    try:
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
    except LookupError:
        raise IncorrectValue(f"There is no encoding {encoding!r}.", field="encoding") from None
    try:
        delimiter = _delimiter_of(text.readline(_SAMPLE))
        text.seek(0)
        csv.field_size_limit(LONGEST_TEXT * 4)
        reader = csv.reader(text, delimiter=delimiter, strict=False)
        while True:
            try:
                yield next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise IncorrectValue(f"Line {reader.line_num} cannot be read: {error}.", field="file") from None
    except UnicodeError:
        raise IncorrectValue(f"It is not text in {encoding}; name its encoding.", field="encoding") from None
    finally:
        text.detach()


def _delimiter_of(line: str) -> str:
    """What stands between the headers most often, quoted parts left out."""
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _read_excel(file: BinaryIO) -> Iterator[list[str]]:
    try:
        openpyxl = import_module("openpyxl")  # an extra, which most installations do without
    except ImportError:
        raise IncorrectValue("To read Excel files, install drumbeat[excel]; or save it as CSV.", field="file") from None
    try:
        unpacked = sum(part.file_size for part in ZipFile(file).infolist())
        if unpacked > _LARGEST_UNPACKED:
            raise IncorrectValue("It unpacks to more than 1 GB; save it as CSV.", field="file")
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [_cell(value) for value in row]
    except (BadZipFile, zlib.error, KeyError, ValueError, IndexError, SyntaxError, OSError, EOFError):
        raise IncorrectValue("It is neither a CSV nor an Excel file that can be read.", field="file") from None


def _cell(value: Any) -> str:
    """What a cell shows: 1 and not 1.0, a day without its midnight."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}" if not value.is_integer() else f"{value:.0f}"
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def write_csv(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The rows as CSV that spreadsheets open as it is, in UTF-8; no cell is taken for a formula."""
    yield codecs.BOM_UTF8
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        writer.writerow([neutral(cell) for cell in row])
        if buffer.tell() > _SAMPLE:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
