"""What commands say of mistakes: one line that names the option, the file or the variable, and nothing is made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.outcome import Run, fine, misused, refused

BEYOND = str(2**31)


@pytest.mark.parametrize(
    "words",
    [
        ("status", BEYOND),
        ("status", "0"),
        ("status", "--account", BEYOND),
        ("export", "--account", BEYOND),
        ("task", "complete", BEYOND),
        ("task", "delete", BEYOND),
        ("unknown", "count-as-sent", BEYOND),
        ("unknown", "count-as-not-sent", BEYOND),
        ("unknown", "send-again", BEYOND),
        ("mailbox", "test", BEYOND),
        ("mailbox", "set", BEYOND, "--port", "25"),
        ("mailbox", "remove", BEYOND),
        ("mailbox", "off", BEYOND),
        ("mailbox", "on", BEYOND, "--as", BEYOND),
        ("mailbox", "lift", BEYOND),
        ("mailbox", "limit", BEYOND, "--per-day", "5"),
        ("mailbox", "listen", BEYOND, "--host", "imap.example"),
        ("mailbox", "unlisten", BEYOND),
        ("inbound", "not-a-reply", BEYOND),
        ("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example", "--user", BEYOND),
        ("user", "deactivate", BEYOND),
        ("user", "activate", BEYOND),
        ("key", "add", "--scope", "read", "--user", BEYOND),
        ("key", "revoke", BEYOND),
    ],
)
def test_an_id_that_none_can_have_is_refused_with_the_range(tea: Run, words: tuple[str, ...]) -> None:
    said = "greater than or equal to 1" if "0" in words else "less than or equal to 2147483647"
    misused(tea(*words), said)


@pytest.mark.parametrize("person", ["lead:2147483648", "lead:0", "contact:", "visitor:1", "lead:٣"])
def test_a_person_is_named_by_kind_and_id(tea: Run, person: str) -> None:
    misused(tea("enroll", "--sequence", "1", "--person", person), "Write KIND:ID")


def test_a_sequence_that_none_can_be_is_not_found(tea: Run) -> None:
    refused(tea("enroll", "--sequence", BEYOND, "--person", "lead:1"), "There is no sequence '2147483648'")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("user", "add", "--email", "nobody"), "--email: "),
        (("user", "add", "--email", "olive@tea.example"), "--email: User 1 has this address."),
        (("user", "add", "--email", "z@tea.example", "--name", "Z\nBcc: a@b.example"), "--name: Write it in one line"),
        (("user", "add", "--email", "z@tea.example", "--name", "z" * 256), "--name: Write at most 255 characters"),
        (("account", "set", "--name", "T\nea"), "--name: Write it in one line"),
        (("account", "set", "--postal-address", "\n".join("abcdefghijk")), "--postal-address: Write at most 10 lines."),
        (("key", "add", "--scope", "read", "--name", " "), "--name: Write something."),
        (("mailbox", "add", "--host", "mx.example", "--from", "nobody"), "--from: "),
        (("mailbox", "add", "--host", "mx.example", "--from", "jörg@tea.example"), "--from: Few mail servers"),
        (("mailbox", "limit", "1", "--per-day", "0"), "--per-day: It is a number of letters"),
        (("mailbox", "limit", "1", "--spacing", "-1"), "--spacing: It is a number of seconds"),
        (("mailbox", "add", "--host", "", "--from", "o@tea.example"), "--host: Write something."),
        (("mailbox", "add", "--host", "a\nb", "--from", "o@tea.example"), "--host: Write it in one line"),
        (("mailbox", "add", "--host", "smtp://a", "--from", "o@tea.example"), "--host: Write a server's name"),
        (
            ("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example", "--from-name", "O\rB"),
            "--from-name: Write it in one line",
        ),
    ],
)
def test_a_field_that_is_wrong_is_named_by_its_option(tea: Run, words: tuple[str, ...], said: str) -> None:
    refused(tea(*words), f"drumbeat: {said}")


def test_enrolling_names_the_option_that_is_wrong(tea: Run, tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    file.write_text(
        "templates: [{name: T, subject: Hi, text: x}]\n"
        "sequences: [{name: S, steps: [{email: T, after: 0 hours}]}]\n"
        "people: [{kind: lead, email: jörg@tea.example}]"
    )
    assert "warning: Few mail servers take an address" in fine(tea("apply", str(file)))
    refused(tea("enroll", "--sequence", "S", "--person", "lead:9"), "--person: There is no lead 9.")
    refused(tea("enroll", "--sequence", "S", "--person", "lead:1"), "--person: Few mail servers")
    refused(tea("enroll", "--sequence", "S", "--email", "nobody"), "--email: ")


def test_options_that_would_do_nothing_are_refused(tea: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("long enough a word")
    misused(tea("user", "add", "--email", "z@tea.example", "--postal-address", "1 Lane"), "add --account-name")
    with_file = ("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example", "--password-file", str(secret))
    misused(tea(*with_file), "needs --username")
    misused(tea("mailbox", "set", "1"), "Name at least one setting")
    misused(tea("mailbox", "limit", "1"), "Name at least one limit")
    misused(tea("mailbox", "limit", "1", "--per-day", "many"), "Write a whole number")
    misused(tea("account", "set", "--monthly-allowance", "9999999999"), "Write a whole number")


def test_a_file_that_holds_no_text_is_named_with_what_named_it(tea: Run, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    add = ("user", "add", "--email", "z@tea.example", "--password-file", str(binary))
    refused(tea(*add), f"--password-file: {binary} holds no text in UTF-8.")
    (tmp_path / "short").write_text("word\n")
    refused(tea(*add[:-1], str(tmp_path / "short")), "--password-file: Take 10 to 255 characters.")
    refused(tea("status", DATABASE_URL_FILE=str(binary)), f"DRUMBEAT_DATABASE_URL_FILE: {binary} holds no text")
    refused(tea("status", DATABASE_URL_FILE="/nope"), "DRUMBEAT_DATABASE_URL_FILE: /nope: No such file or directory.")
    refused(tea("status", MASTER_KEY="", MASTER_KEY_FILE=str(binary)), f"The master key: {binary} holds no text")
    empty = tmp_path / "empty"
    empty.write_text("\n")
    refused(tea("status", MASTER_KEY="", MASTER_KEY_FILE=str(empty)), f"{empty} is empty: restore it from your backup")
    refused(tea("status", MASTER_KEY="b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3Q="), "restore master.key from your")
    refused(tea("status", MASTER_KEY="short"), "A master key is 32 bytes")


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("user", "list"),
        ("user", "add", "--email", "z@tea.example"),
        ("key", "list"),
        ("export",),
        ("account", "show"),
        ("clock", "show"),
        ("unknown", "list"),
        ("task", "list"),
        ("mailbox", "list"),
        ("doctor",),
    ],
)
def test_commands_make_no_database_where_there_is_none(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    missing = tmp_path / "mistyped"
    result = run(*words, DATA=str(missing), DATABASE_URL="")
    assert result.exit_code == 1, result.output
    assert f"There is no Drumbeat database at {missing}/drumbeat.db." in result.output
    assert not missing.exists()
    missing.mkdir(mode=0o700)
    assert run(*words, DATA=str(missing), DATABASE_URL="").exit_code == 1
    assert list(missing.iterdir()) == []


def test_a_migrated_database_without_an_account_tells_the_way_to_one(run: Run, tmp_path: Path) -> None:
    fine(run("migrate"))
    refused(run("status"), "There is no Drumbeat database at")
    refused(run("user", "list"), "`drumbeat user add --admin --account-name NAME`")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"UNSAFE": "fsync,bogus"}, "DRUMBEAT_UNSAFE: There is no promise 'bogus'; there are: fsync, full_page_writes"),
        ({"DATA": " "}, "DRUMBEAT_DATA: It is empty; name a folder"),
        ({"PORT": "99999"}, "DRUMBEAT_PORT: It is a whole number from 0 to 65535."),
        ({"PORT": "many"}, "DRUMBEAT_PORT: It is a whole number from 0 to 65535."),
        ({"BATCH": "0"}, "DRUMBEAT_BATCH: It is a whole number from 1 to 1000."),
        ({"TEST_CLOCK": "perhaps"}, "DRUMBEAT_TEST_CLOCK: It is 1 or 0."),
        ({"LOG_LEVEL": "loud"}, "DRUMBEAT_LOG_LEVEL: It is debug, info, warning or error."),
        ({"DATABASE_URL": "postgresql://u:hidden@h:port/x"}, "DRUMBEAT_DATABASE_URL reads sqlite:////path"),
        ({"DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/x?bad=1"}, "or correct DRUMBEAT_DATABASE_URL."),
    ],
)
def test_a_setting_that_is_wrong_is_named_with_what_it_may_be(run: Run, variables: dict[str, str], said: str) -> None:
    result = run("status", **variables)
    refused(result, said)
    assert "hidden" not in result.output


@pytest.mark.parametrize(
    ("folder", "said"),
    [("/proc/zz", "DRUMBEAT_DATA: /proc/zz: No such file or directory."), ("{file}", "is a file; name a folder.")],
)
def test_a_data_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path, folder: str, said: str) -> None:
    file = tmp_path / "file"
    file.touch()
    refused(run("serve", PORT="0", DATA=folder.format(file=file)), said)
    refused(run("migrate", DATA=folder.format(file=file)), said)


def test_a_host_that_is_none_of_this_machine_is_named(run: Run) -> None:
    refused(run("serve", PORT="0", HOST="192.0.2.1"), "DRUMBEAT_HOST is an address of this machine")
    refused(run("serve", PORT="0", HOST="no.such.host.invalid"), "DRUMBEAT_HOST is an address of this machine")


@pytest.mark.parametrize("words", [("status",), ("doctor",), ("serve",), ("migrate",)])
def test_a_file_that_is_no_sqlite_database_is_one_line(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir(mode=0o700)
    (folder / "drumbeat.db").write_bytes(b"something else entirely, and long enough to be read as a page" * 100)
    result = run(*words, DATA=str(folder), DATABASE_URL="", PORT="0")
    assert result.exit_code == 1
    assert "The database's file is damaged, or no SQLite database; restore it from your backup." in result.output
    assert "Traceback" not in result.output


def test_a_database_whose_folder_is_missing_names_the_variable(run: Run, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path}/no/such/folder.db"
    refused(run("migrate", DATABASE_URL=elsewhere), "correct DRUMBEAT_DATABASE_URL.")
    refused(run("status", DATABASE_URL=elsewhere), "There is no Drumbeat database at")


@pytest.mark.parametrize("text", ["0d", "99999w", "1.5d"])
def test_a_clock_that_cannot_move_so_says_why(tea: Run, text: str) -> None:
    said = {"0d": "write a number above 0", "99999w": "at most 3660 days", "1.5d": "Write a whole number"}
    refused(tea("clock", "advance", text, TEST_CLOCK="1"), said[text])


def test_names_subjects_and_types_of_files_are_lines(tea: Run, tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    (tmp_path / "offer.pdf").write_bytes(b"%PDF")
    long = "n" * 9000
    for text, said in (
        (f'templates:\n  - {{name: "{long}", text: x}}', "team.yaml:2: templates[0].name: Write at most 255"),
        (f'sequences:\n  - {{name: "{long}", status: draft}}', "team.yaml:2: sequences[0].name: Write at most 255"),
        (f'calendars:\n  - {{name: "{long}"}}', "team.yaml:2: calendars[0].name: Write at most 255"),
        ('templates: [{name: "T\\nX", text: x}]', "templates[0].name: Write it in one line"),
        ('templates: [{name: T, subject: "Hi\\nBcc: a@b.example", text: x}]', "templates[0].subject: Write it in one"),
        (
            'templates: [{name: T, text: x, attachments: [{file: offer.pdf, name: "a\\nb"}]}]',
            "attachments[0].name: Write it in one line",
        ),
        (
            "templates: [{name: T, text: x, attachments: [{file: offer.pdf, type: pdf}]}]",
            "attachments[0].type: Write a content type",
        ),
        (
            "templates: [{name: T, text: x, attachments: [{file: offer.pdf, type: message/rfc822}]}]",
            "attachments[0].type: Write a content type",
        ),
    ):
        file.write_text(text)
        refused(tea("apply", str(file)), said)
    assert "There is no template" not in fine(tea("export"))


def test_a_folder_that_others_may_read_or_nobody_may_write_is_told(tea: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.chmod(0o755)
    assert f"wrong  data folder: Others may look into it. Fix: chmod 700 {kept}" in tea("doctor").output
    if os.geteuid() != 0:  # root may write anywhere
        kept.chmod(0o500)
        assert "cannot be written to" in tea("doctor").output
        kept.chmod(0o700)
