"""Settings: read once from the environment (DRUMBEAT_*), passed down as values."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from drumbeat.domain.errors import Misconfigured
from drumbeat.mail.session import is_loopback
from drumbeat.store.database import place_of
from drumbeat.store.promises import PROMISES


class Settings(BaseSettings):
    """What the operator may set; every secret may also come from a file named by `<NAME>_FILE`."""

    model_config = SettingsConfigDict(env_prefix="DRUMBEAT_", extra="ignore")

    data: Path = Field(default=Path("data"), description="The folder for the database, the keys and first-run.json.")
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on.")
    base_url: str = Field(
        default="", description="The address people reach Drumbeat at; links in letters begin with it."
    )
    database_url: str = Field(default="", description="SQLite or PostgreSQL; empty: drumbeat.db in the data folder.")
    database_url_file: Path | None = Field(default=None, description="A file that holds the database's address.")
    master_key: str = Field(
        default="", description="The key that seals stored credentials; several: comma, newest first."
    )
    master_key_file: Path | None = Field(default=None, description="A file that holds it; default master.key in data.")
    sample: bool = Field(default=True, description="Whether an empty data folder gets a sample account.")
    test_clock: bool = Field(
        default=False, description="Whether `drumbeat clock advance` may move time. Never with real mail."
    )
    unsafe: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(), description="Promises to run without, by name, comma-separated."
    )
    worker: bool = Field(default=True, description="Whether `drumbeat serve` also sends what is due.")
    batch: int = Field(default=200, ge=1, le=1000, description="How many due enrollments a worker claims at a time.")
    seats: int = Field(default=8, ge=1, le=64, description="How many lanes a worker serves at once.")
    ears: int = Field(default=8, ge=1, le=64, description="How many mailboxes a worker reads at once.")
    mail_url: str = Field(
        default="",
        description="The server that takes invitations and letters about passwords, such as"
        " smtp+starttls://user:password@smtp.example.com:587; empty: the built-in catcher.",
    )
    mail_url_file: Path | None = Field(default=None, description="A file that holds that server's address.")
    mail_from: str = Field(default="", description="Who those letters are from; default drumbeat@ the base URL's host.")
    dns: str = Field(
        default="",
        description="The DNS server (address or IPv4 address:port) to look senders up at; empty: the system's.",
    )
    metrics_token: str = Field(
        default="",
        description="The Bearer token that opens /metrics, of 16 characters at least; empty: it is closed.",
    )
    metrics_token_file: Path | None = Field(default=None, description="A file that holds that token.")
    proxies: int = Field(
        default=0, ge=0, le=10, description="How many proxies of yours stand in front and fill in X-Forwarded-For."
    )
    execute_per_minute: int = Field(
        default=1000, ge=0, description="How many calls under /api/v1 an account may make in a minute; 0: any number."
    )
    v2_per_hour: int = Field(
        default=36_000,
        ge=0,
        description="How many requests under /v2 a token may make in an hour, in each web process; 0: any number.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged: debug, info, warning or error."
    )

    @field_validator("data", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("It is empty; name a folder, or leave it unset")
        return value

    @field_validator("dns")
    @classmethod
    def _server(cls, value: str) -> str:
        address, _, port = value.partition(":") if value.count(":") == 1 else (value, "", "53")
        try:
            if value and not 0 < int(port) < 65536:
                raise ValueError
            if value:
                ip_address(address)
        except ValueError:
            raise ValueError("It is an IP address, or an IPv4 address with a port such as 127.0.0.1:53") from None
        return value

    @field_validator("unsafe", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = frozenset(part.strip() for part in value.split(",") if part.strip())
        if not names <= PROMISES:
            known = ", ".join(sorted(PROMISES))
            raise ValueError(f"There is no promise {min(names - PROMISES)!r}; there are: {known}")
        return names

    @model_validator(mode="after")
    def _fill(self) -> Settings:
        if self.database_url_file is not None:
            self.database_url = text_in(self.database_url_file, "DRUMBEAT_DATABASE_URL_FILE").strip()
        if not self.database_url:
            self.database_url = f"sqlite:///{self.data.absolute() / 'drumbeat.db'}"
        if not self.database_url.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("DRUMBEAT_DATABASE_URL begins with sqlite:/// or postgresql://")
        place_of(self.database_url)
        if self.mail_url_file is not None:
            self.mail_url = text_in(self.mail_url_file, "DRUMBEAT_MAIL_URL_FILE").strip()
        if self.metrics_token_file is not None:
            self.metrics_token = text_in(self.metrics_token_file, "DRUMBEAT_METRICS_TOKEN_FILE").strip()
        if self.metrics_token and not (len(self.metrics_token) >= 16 and self.metrics_token.isascii()):
            raise ValueError("DRUMBEAT_METRICS_TOKEN has 16 characters at least, in ASCII")
        self.base_url = (self.base_url or self._own_url(self.port)).rstrip("/")
        if not _ADDRESS.fullmatch(self.base_url):
            raise ValueError("DRUMBEAT_BASE_URL is an address such as https://drumbeat.example.com, in ASCII")
        self.mail_from = self.mail_from or f"drumbeat@{urlsplit(self.base_url).hostname}"
        return self

    def mail_to(self, server: str) -> Settings:
        """The settings with the server that takes the installation's own letters, unless one is set."""
        return self if self.mail_url else self.model_copy(update={"mail_url": server})

    @property
    def links_trouble(self) -> str | None:
        """What keeps the readers of real letters from the links in them, or None."""
        scheme, host = urlsplit(self.base_url)[0], urlsplit(self.base_url).hostname or ""
        if is_loopback(host):
            return f"Letters' links begin with {self.base_url}, which their readers cannot open."
        if scheme != "https":
            return f"Letters' links begin with {self.base_url}; mail programs offer one-click unsubscribing over https."
        return None

    def _own_url(self, port: int) -> str:
        host = _REACHED_AT.get(self.host, self.host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def at_port(self, port: int) -> Settings:
        """The settings with the port that port 0 turned out to be."""
        is_own = self.base_url == self._own_url(self.port)
        reached_at = self._own_url(port) if is_own else self.base_url
        return self.model_copy(update={"port": port, "base_url": reached_at})


def text_in(path: Path, named: str) -> str:
    """What a file holds, without its last line end; Misconfigured says which setting or option named it."""
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Misconfigured(f"{named}: {path} holds no text in UTF-8.") from None
    except OSError as error:
        raise Misconfigured(f"{named}: {path}: {error.strerror}.") from None


_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")


_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listening everywhere is reached here


_SIDES = ("ge", "le")


def trouble_with(error: ErrorDetails) -> str:
    """What is wrong with a setting, and what it may be, with the variable's name in front."""
    name = "_".join(str(part) for part in error["loc"])
    field = Settings.model_fields.get(name)
    limits = [
        getattr(each, side) for each in (field.metadata if field else ()) for side in _SIDES if hasattr(each, side)
    ]
    if limits:
        said = f"It is a whole number from {limits[0]} to {limits[-1]}"
    elif error["type"].startswith("bool"):
        said = "It is 1 or 0"
    elif error["type"] == "literal_error":
        said = "It is " + error["ctx"]["expected"].replace("'", "")
    else:
        said = error["msg"].removeprefix("Value error, ")
    return f"DRUMBEAT_{name.upper()}: {said}." if name else f"{said}."


def configuration_page() -> str:
    """The page `docs/configuration.md`: every variable, what it is without being set, and what it means."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return _PAGE.format(rows="\n".join(rows))


def _row(name: str, field: FieldInfo) -> str:
    kept = field.default
    shown = "" if kept in ("", None, frozenset()) else f"`{int(kept) if isinstance(kept, bool) else kept}`"
    return f"| `DRUMBEAT_{name.upper()}` | {shown} | {field.description} |"


_PAGE = """# Configuration

Everything is set by environment variables, read once when a command starts. A variable that is wrong ends the
command with one line that names it; `drumbeat doctor` looks at everything that must be right.

| variable | default | what it means |
|---|---|---|
{rows}

Switches take 1 or 0. Secrets are better kept in files than in the environment: `DRUMBEAT_DATABASE_URL_FILE` wins over
`DRUMBEAT_DATABASE_URL`, and `DRUMBEAT_MASTER_KEY`, where it is set, over its file.

## The data folder

It is made at the first start, for its owner's eyes only, and holds:

- `drumbeat.db`: the database, unless `DRUMBEAT_DATABASE_URL` names another one.
- `master.key`: the key that seals stored credentials. Back it up, and not beside the database: without it the
  database cannot be opened. To change it, put the key that `drumbeat reseal --new-key` prints on a line before the
  old one (or before a comma in `DRUMBEAT_MASTER_KEY`), start every process anew, run `drumbeat reseal`, take the old
  key away, and start them anew once more.
- `journal`: what mail servers answered, kept before it is stored ([backup](backup.md)).
- `first-run.json`: the sample account's address, sign-in, token and API key.
- `serve.lock`: held while `drumbeat serve` runs on SQLite, so that no second one does; it is always empty.

Only `drumbeat serve`, `drumbeat migrate` and `drumbeat user add --account-name` make a data folder or a database;
every other command says that there is none. Every file is made for its owner alone; a folder that existed before
keeps its mode, and `drumbeat doctor` says when others may look into it.

## The database

SQLite is one file and one machine: API and worker share one process. For more of either, give every process the
same PostgreSQL, such as `postgresql://drumbeat@db.example/drumbeat`, and run `drumbeat serve` and `drumbeat worker`
as often as you need. A database that could lose what it has acknowledged is refused, because a letter might then
go twice; `DRUMBEAT_UNSAFE=fsync,synchronous_commit` runs without those promises all the same. How to copy it, and
what a copy may not do by itself: [backup](backup.md).

A machine that is cut off from PostgreSQL is noticed within a minute on either side: what it held locked is free
again, the others go on, and when it is back it settles what it knows. `tcp_user_timeout` and the like in the address
change what this side waits for.

A pooler in transaction mode, such as PgBouncer, may stand before PostgreSQL: end the address with
`?pooler=transaction`; statements are not prepared then, and workers at rest look for work four times a second, where
they are told of it otherwise (NOTIFY). `migrate`, `backup` and `restore` want the database itself.

Where one PostgreSQL is not enough, Citus makes several of them one. On its coordinator, run `CREATE EXTENSION citus` in
the database, then `drumbeat migrate` and `drumbeat db distribute`, with no worker running, and `db distribute` again
after an upgrade: an account's rows lie on one node then, and what no account owns on every node. Copy such a database
with the cluster's own means.

## Watching it

`GET /health` says whether Drumbeat works. `GET /metrics` says how it stands, in the format of Prometheus, to whoever
sends `DRUMBEAT_METRICS_TOKEN` as a Bearer token: what is due and for how long, letters at work and in doubt, what is
blocked and why, mailboxes and inboxes in trouble, and what happened in all. The figures are read from the tables, so
every process tells the same, and no account or address is named. Worth an alarm: `drumbeat_due_seconds` above a minute
while no mailbox is held, or any doubt (`drumbeat_letters` with the status `unknown`) or held mailbox
(`drumbeat_mailboxes` with the state `held`), and `drumbeat_quarantined` at 1, when nothing is sent at all.

## An account of your own

`DRUMBEAT_SAMPLE=0 drumbeat serve` begins with nothing. The first account and its admin:

    drumbeat user add --admin --account-name "Tea House" --email olive@tea.example --postal-address "1 Tea Lane"
"""
