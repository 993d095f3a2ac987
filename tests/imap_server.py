"""Real IMAP servers for tests: pymap, which the suite installs, and Dovecot where the machine has it."""

from __future__ import annotations

import contextlib
import getpass
import grp
import imaplib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drumbeat.mail.imap import ImapServer
from drumbeat.mail.session import Security

USER, PASSWORD = "olive", "earl-grey"
DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
KINDS = ["pymap", *(["dovecot"] if DOVECOT else [])]


@dataclass(frozen=True)
class RunningServer:
    """An IMAP server on this machine with Olive's mailbox."""

    port: int

    def settings(self, password: str = PASSWORD) -> ImapServer:
        """How to enter it."""
        return ImapServer("127.0.0.1", self.port, Security.NONE, USER, password)

    def deliver(self, *messages: bytes, folder: str = "INBOX") -> None:
        """Put messages into the mailbox, as its server would; a folder that is not there is made."""
        with self._session() as client:
            if folder != "INBOX":
                client.create(folder)
            for message in messages:
                status, answer = client.append(folder, "", None, message)  # type: ignore[arg-type]
                assert status == "OK", answer

    def unseen(self) -> int:
        """How many messages nobody has read."""
        with self._session() as client:
            client.select("INBOX", readonly=True)
            return len(client.search(None, "UNSEEN")[1][0].split())

    def count(self) -> int:
        """How many messages there are."""
        with self._session() as client:
            return int(client.select("INBOX", readonly=True)[1][0] or b"0")

    @contextlib.contextmanager
    def _session(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as client:
            client.login(USER, PASSWORD)
            yield client


@contextlib.contextmanager
def running(kind: str) -> Iterator[RunningServer]:
    """A server of this kind; it ends with the block."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:  # a short path: Dovecot's sockets stand in it
        command = _dovecot(Path(folder), port) if kind == "dovecot" else _pymap(port)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                _await(port, server)
                yield RunningServer(port)
            finally:
                server.terminate()


def _pymap(port: int) -> list[str]:
    program = str(Path(sys.executable).with_name("pymap"))
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    return [program, *options, "dict", "--demo-data", "--demo-user", USER, "--demo-password", PASSWORD]


def _dovecot(folder: Path, port: int) -> list[str]:
    user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
    nobody = "nobody" if os.getuid() == 0 else user
    (folder / "mail").mkdir(parents=True)
    shutil.chown(folder / "mail", nobody)
    folder.chmod(0o711)
    configuration = folder / "dovecot.conf"
    configuration.write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {nobody}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={nobody} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
""")
    return [str(DOVECOT), "-F", "-c", str(configuration)]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as found:
            if found.recv(4) == b"* OK":
                return
        assert server.poll() is None, "the IMAP server ended"
        time.sleep(0.05)
    raise AssertionError("the IMAP server does not answer")
