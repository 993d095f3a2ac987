"""The command line: one line for everything, no traceback, no secret shown twice."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drumbeat.cli import app
from drumbeat.cli.clocks import read_length
from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.happening import FinishRequested
from drumbeat.mail.dkim import new_key
from drumbeat.operations.enrollments import finish_all
from drumbeat.settings import Settings, configuration_page
from drumbeat.store import deliveries
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.store.verification import RULES
from drumbeat.testing.conversation import CUT, At
from drumbeat.testing.house import KEY, House, letter, open_house, task
from drumbeat.testing.nameserver import NameServer
from drumbeat.testing.sink import Sink
from drumbeat.testing.tokens import TokenServer
from drumbeat.worker import Worker
from tests.cli.outcome import Run, fine, misused, refused

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "src/drumbeat/operations/sample.yaml"


def test_every_command_explains_itself() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    words = "serve worker migrate apply export account user key enroll status unknown doctor clock mailbox version"
    assert [word for word in words.split() if word not in shown.output] == []


def test_wrong_usage_is_exit_code_two(run: Run) -> None:
    assert run("enroll").exit_code == 2
    assert run("enroll", "--sequence", "1").exit_code == 2
    assert run("enroll", "--sequence", "1", "--person", "cat:1").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_without_an_account_the_way_to_one_is_told(run: Run) -> None:
    refused(run("status"), "drumbeat user add --admin --account-name")


def test_a_password_made_up_is_shown_once_and_opens_the_account(tea: Run) -> None:
    output = fine(tea("user", "add", "--email", "sam@tea.example", "--time-zone", "Europe/Berlin"))
    assert "Password, shown this once: " in output
    listed = fine(tea("user", "list"))
    assert "sam@tea.example" in listed
    assert "Europe/Berlin" in listed
    assert output.split()[-1] not in listed


def test_the_last_admin_cannot_be_deactivated_and_an_agent_can(tea: Run) -> None:
    fine(tea("user", "add", "--email", "sam@tea.example"))
    refused(tea("user", "deactivate", "1"), "last active admin")
    assert fine(tea("user", "deactivate", "2")) == "User 2 is inactive.\n"
    assert "inactive" in fine(tea("user", "list"))
    assert fine(tea("user", "activate", "2")) == "User 2 is active.\n"
    assert "inactive" not in fine(tea("user", "list"))


def test_an_account_is_shown_and_changed_one_setting_at_a_time(tea: Run) -> None:
    before = fine(tea("account", "show")).splitlines()
    assert before == [
        "Account 1: Tea",
        "Time zone: UTC",
        "Locale: en-GB",
        "Postal address: -",
        "Sequences: on",
        "Agents see: all",
        "Content is kept: for ever",
        "Letters a month: any number",
        "A doubt that nothing settles: ask",
    ]
    changed = fine(tea("account", "set", "--no-sequences", "--unknown-means", "sent", "--time-zone", "Europe/Berlin"))
    assert changed == fine(tea("account", "show"))
    assert changed.splitlines()[1:] == [
        "Time zone: Europe/Berlin",
        "Locale: en-GB",
        "Postal address: -",
        "Sequences: off",
        "Agents see: all",
        "Content is kept: for ever",
        "Letters a month: any number",
        "A doubt that nothing settles: sent",
    ]
    assert "sequences are switched off" in fine(tea("status"))
    assert (
        fine(tea("account", "set", "--sequences", "--unknown-means", "ask", "--time-zone", "UTC")).splitlines()
        == before
    )
    assert "Letters a month: 500" in fine(tea("account", "set", "--monthly-allowance", "500"))
    assert "Letters a month: any number" in fine(tea("account", "set", "--monthly-allowance", "none"))
    refused(tea("account", "set", "--time-zone", "Mars"), "--time-zone: There is no time zone 'Mars'")
    assert "Locale: de-CH" in fine(tea("account", "set", "--locale", "de-ch"))
    assert fine(tea("account", "set", "--locale", "en-GB")).splitlines() == before
    refused(tea("account", "set", "--locale", "tlh"), "--locale: There is no locale 'tlh'")
    refused(tea("account", "set", "--name", " "), "--name: Write something.")
    assert tea("account", "set").exit_code == 2
    assert tea("account", "set", "--unknown-means", "guess").exit_code == 2
    assert fine(tea("account", "show")).splitlines() == before


def test_several_accounts_need_a_choice(tea: Run) -> None:
    fine(tea("user", "add", "--admin", "--account-name", "Rival", "--email", "rita@rival.example"))
    refused(tea("user", "list"), "--account: Name one of the accounts: 1 (Tea), 2 (Rival).")
    assert "rita@rival.example" in fine(tea("user", "list", "--account", "2"))
    assert "olive" not in fine(tea("user", "list", "--account", "2"))
    refused(tea("user", "list", "--account", "3"), "There is no account 3.")
    assert "Rival" in fine(tea("status"))


def test_a_key_is_shown_once_and_can_be_revoked(tea: Run) -> None:
    key = fine(tea("key", "add", "--scope", "sequences:execute", "--name", "Shop")).strip()
    token = fine(tea("key", "add", "--scope", "read", "--scope", "write", "--days", "7")).strip()
    assert (key[:4], len(key), token[:4], len(token)) == ("dbk_", 64, "dbt_", 64)
    listed = fine(tea("key", "list"))
    assert "Shop" in listed
    assert key[21:] not in listed
    fine(tea("key", "revoke", "1"))
    refused(tea("key", "revoke", "9"), "There is no token or key 9.")
    refused(tea("key", "add", "--scope", "everything"), "There is no scope 'everything'")


def test_files_are_applied_once_and_exported_the_same(tea: Run, tmp_path: Path) -> None:
    planned = fine(tea("apply", str(SAMPLE), "--dry-run"))
    assert "nothing was written" in planned
    applied = fine(tea("apply", str(SAMPLE)))
    assert applied.splitlines() == planned.splitlines()[:-1]
    assert fine(tea("apply", str(SAMPLE))) == "Nothing to change.\n"
    exported = tmp_path / "exported.yaml"
    exported.write_text(fine(tea("export")))
    assert fine(tea("apply", str(exported))) == "Nothing to change.\n"
    assert "account.yaml" in fine(tea("export", "--to", str(tmp_path / "out")))
    assert (tmp_path / "out" / "account.yaml").read_text() == exported.read_text()


def test_a_file_that_is_wrong_names_its_line(tea: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("sequences:\n  - name: A\n    steps:\n      - email: Nothing\n        after: soon\n")
    refused(tea("apply", str(wrong)), f"{wrong}:5: ")
    wrong.write_bytes(b"\xff\xfe")
    refused(tea("apply", str(wrong)), "not UTF-8")


def test_enrolling_is_seen_in_the_status_and_explained(tea: Run) -> None:
    fine(tea("apply", str(SAMPLE)))
    assert fine(tea("enroll", "--sequence", "Trial follow-up", "--email", "new@example.com")) == (
        "Enrolled: enrollment 1.\n"
    )
    fine(tea("enroll", "--sequence", "2", "--person", "lead:1"))
    refused(tea("enroll", "--sequence", "2", "--person", "lead:99"), "There is no lead 99.")
    refused(tea("enroll", "--sequence", "Other", "--email", "a@example.com"), "There is no sequence 'Other'")
    assert "Trial follow-up" in fine(tea("status"))
    shown = fine(tea("status", "1"))
    assert "Held by: Olive has no mailbox. Connect one to send." in shown
    assert "who can lift it: a user" in shown
    assert "enrolled" in shown
    refused(tea("status", "77"), "There is no enrollment 77.")


def test_a_mailbox_is_added_tested_and_switched(tea: Run, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hidden word\n")
    with Sink() as sink:
        added = tea(
            "mailbox", "add", "--host", "127.0.0.1", "--port", str(sink.port), "--from", "olive@tea.example",
            "--security", "none",
        )  # fmt: skip
        assert "Added mailbox 1." in fine(added)
        assert fine(tea("mailbox", "test", "1")) == "Mailbox 1 works.\n"
    broken = tea("mailbox", "test", "1")
    assert (broken.exit_code, broken.output) == (1, "Mailbox 1 does not work: connect: connection refused\n")
    listen = ("mailbox", "listen", "1", "--host", "127.0.0.1", "--port", str(sink.port))
    refused(tea(*listen), "--username: The mailbox sends without a login")
    assert "Mailbox 1 hears." in fine(tea(*listen, "--username", "o", "--password-file", str(secret)))
    deaf = tea("mailbox", "test", "1")
    assert (deaf.exit_code, deaf.output.splitlines()[1]) == (
        (1, "Mailbox 1 cannot be read: connect: connection refused")
    )
    assert f"127.0.0.1:{sink.port}" in fine(tea("mailbox", "list"))
    assert fine(tea("mailbox", "unlisten", "1")) == "Mailbox 1 hears no more.\n"
    assert fine(tea("mailbox", "unlisten", "1")) == "Mailbox 1 does not hear.\n"
    limited = fine(tea("mailbox", "limit", "1", "--per-day", "400", "--ramp-from", "20"))
    assert limited == "Mailbox 1 sends at most 400 a day, one every 3 seconds, a slow start.\n"
    assert "400 a day" in fine(tea("mailbox", "list"))
    lifted = ("mailbox", "limit", "1", "--per-day", "none", "--ramp-from", "none", "--spacing", "0")
    assert fine(tea(*lifted)) == "Mailbox 1 sends as quickly as it can.\n"
    provided = tea("mailbox", "add", "--provider", "resend", "--from", "o@tea.example", given="the key\n")
    assert "Added mailbox 2." in fine(provided)
    assert "api.resend.com:443" in fine(tea("mailbox", "list"))
    refused(tea("mailbox", "add", "--from", "o@tea.example"), "--host: Name the outgoing mail server, or a provider.")
    secret.write_text("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n")
    assert "/hooks/1/2" in fine(tea("mailbox", "hook", "2", "--secret-file", str(secret)))
    refused(tea("mailbox", "hook", "2", given="nonsense\n"), "--secret-file: It is the signing secret")
    refused(tea("mailbox", "hook", "1"), "sends through a provider")
    assert fine(tea("mailbox", "hook", "2", "--off")) == "Mailbox 2 is told no more.\n"
    assert fine(tea("mailbox", "hook", "2", "--off")) == "Mailbox 2 is not told anything.\n"
    secret.write_text("hidden word\n")
    fine(tea("mailbox", "remove", "2"))
    fine(tea("mailbox", "off", "1"))
    assert " off" in fine(tea("mailbox", "list"))
    fine(tea("mailbox", "on", "1"))
    assert fine(tea("mailbox", "lift", "1")) == "Mailbox 1 sends again; 0 enrollments go on.\n"
    with_login = ("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example", "--username", "o")
    fine(tea(*with_login, "--password-file", str(secret)))
    prompted = fine(tea(*with_login, given="typed word\n"))
    assert "typed word" not in prompted
    assert "hidden word" not in fine(tea("mailbox", "list"))
    refused(tea(*with_login, "--security", "none", "--password-file", str(secret)), "A login needs encryption")


@contextmanager
def doubt(database_url: str, tmp_path: Path) -> Iterator[tuple[House, Sink]]:
    """An office one of whose letters may or may not have arrived, and a server that takes the next one."""
    database = Database(database_url)
    with Sink(script={At.DOT: CUT}) as sink:
        house = open_house(database, sink.port, tmp_path)
        enrolled = house.enroll(house.sequence(letter("0 hours"), letter("9 hours")), house.person())
        Worker(house.world).step()
        with database.read() as snapshot:
            assert deliveries.find_unknown(snapshot, house.account_id, enrolled.id) is not None
        sink.script = None
        yield house, sink
    database.close()


def test_a_doubt_can_be_counted_as_sent(run: Run, database_url: str, tmp_path: Path) -> None:
    with doubt(database_url, tmp_path) as (house, _):
        assert "what is known" in fine(run("unknown", "list"))
        assert "Unknown letters: 1" in fine(run("status"))
        assert "counts as sent" in fine(run("unknown", "count-as-sent", "1"))
        assert house.enrollment(1).position == 1
        refused(run("unknown", "count-as-sent", "1"), "There is no doubtful letter of enrollment 1.")
        refused(run("unknown", "send-again", "1"), "There is no doubtful letter of enrollment 1.")
    assert fine(run("unknown", "list")) == "Unknown letters: none\n"


def test_a_doubt_can_be_sent_again(run: Run, database_url: str, tmp_path: Path) -> None:
    with doubt(database_url, tmp_path) as (house, sink):
        assert "queued once more" in fine(run("unknown", "send-again", "1"))
        Worker(house.world).step()
        assert len(sink.letters) == 1
        assert house.enrollment(1).position == 1


def test_a_person_is_erased_by_address_or_record(run: Run, database_url: str, tmp_path: Path) -> None:
    with doubt(database_url, tmp_path) as (house, _):
        person = house.enrollment(1).subject
        refused(run("erase", "nobody@example.com", "--yes"), "Nobody has the address nobody@example.com")
        refused(run("erase", "contact/99", "--yes"), "There is no contact 99, and nothing was written to one.")
        refused(run("erase", "lead/9999999999", "--yes"), "There is no lead 9999999999.")
        refused(run("erase", "somebody", "--yes"), "email")
        assert run("erase", f"contact/{person.resource_id}").exit_code == 1, "nobody said yes"
        assert fine(run("erase", f"contact/{person.resource_id}", "--yes")).startswith("Erased 1 records")
        assert fine(run("unknown", "list")).count("1") > 0
        assert fine(run("erase", f"contact/{person.resource_id}", "--yes")).startswith("Erased 0 records")


def test_whether_everything_fits_is_verified(run: Run, database_url: str, tmp_path: Path) -> None:
    with doubt(database_url, tmp_path) as (house, _):
        assert fine(run("verify")) == f"Everything fits. Enrollments: 1, accounts: 1, rules: {len(RULES)}.\n"
        with house.world.database.write() as tx:
            tx.run(Statement("UPDATE deliveries SET status = 'refused'"))
            tx.run(Statement("DROP INDEX uq_enrollments_running_person"))
        broken = run("verify")
    assert broken.exit_code == 1
    assert "lacks the index uq_enrollments_running_person" in broken.output
    assert "wrong  An enrollment of account 1: is in doubt about no letter. Such as 1." in broken.output


def test_the_doctor_finds_nothing_wrong_with_a_healthy_installation(tea: Run, tmp_path: Path) -> None:
    lines = fine(tea("doctor")).splitlines()
    assert lines
    assert all(line.startswith("ok ") for line in lines)


def test_the_doctor_names_what_is_wrong_and_the_fix(tea: Run, run: Run, database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fine(tea("mailbox", "add", "--host", "127.0.0.1", "--port", str(port), "--from", "o@tea.example"))
    unwell = tea("doctor")
    assert unwell.exit_code == 1
    assert f"wrong  mailbox 1 of account 1 (127.0.0.1:{port}): connect: connection refused Fix: " in unwell.output
    assert "wrong  links: Letters' links begin with http://127.0.0.1:8000, which their readers" in unwell.output
    unsecured = tea("doctor", BASE_URL="http://tea.example")
    assert "wrong  links: Letters' links begin with http://tea.example; mail programs" in unsecured.output
    assert "links" not in tea("doctor", BASE_URL="https://tea.example").output
    wrong_key = run("doctor", MASTER_KEY="b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3Q=")
    assert wrong_key.exit_code == 1
    assert "wrong  master key" in wrong_key.output
    nowhere = run("doctor", DATABASE_URL=f"sqlite:///{tmp_path}/no/such/folder.db")
    assert nowhere.exit_code == 1
    assert "wrong  database: " in nowhere.output
    nonsense = run("doctor", PORT="many")
    assert nonsense.exit_code == 1
    assert "wrong  configuration: " in nonsense.output
    assert "DRUMBEAT_PORT" in nonsense.output
    for address in ("tea.example", "ftp://tea.example", "https://tée.example", "https://tea.example/?a=b", "https://"):
        assert "DRUMBEAT_BASE_URL" in run("doctor", BASE_URL=address).output
    database = Database(database_url)
    with database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    database.close()
    behind = run("doctor")
    assert "wrong  migrations: The database is behind this version. Fix: Run `drumbeat migrate`." in behind.output


def test_migrating_twice_does_nothing_more(run: Run, tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path}/new.db"
    assert fine(run("migrate", DATABASE_URL=new)).startswith("Migrated to ")
    assert fine(run("migrate", DATABASE_URL=new)).endswith("nothing to do.\n")


def test_the_test_clock_moves_forward_only_where_it_may(tea: Run) -> None:
    refused(tea("clock", "advance", "3d"), "Set DRUMBEAT_TEST_CLOCK=1")
    before = fine(tea("clock", "show", TEST_CLOCK="1"))
    after = fine(tea("clock", "advance", "3d", TEST_CLOCK="1"))
    assert before.split()[2] < after.split()[3]
    refused(tea("clock", "advance", "soon", TEST_CLOCK="1"), "such as 3d")
    refused(tea("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example"), "The test clock of this database")


def test_a_real_mailbox_and_the_test_clock_exclude_each_other(tea: Run) -> None:
    refused(
        tea("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example", TEST_CLOCK="1"),
        "Unset DRUMBEAT_TEST_CLOCK",
    )
    fine(tea("mailbox", "add", "--host", "mx.example", "--from", "o@tea.example"))
    refused(tea("clock", "advance", "3d", TEST_CLOCK="1"), "unset DRUMBEAT_TEST_CLOCK")


def test_an_attachment_is_a_regular_file_of_the_folder(tea: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("root:x:0:0")
    folder = tmp_path / "team"
    (folder / "papers").mkdir(parents=True)
    (folder / "papers" / "offer.txt").write_text("an offer")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "within.txt").symlink_to(folder / "papers" / "offer.txt")
    os.mkfifo(folder / "pipe.txt")
    file = folder / "team.yaml"
    for name, said in (
        ("out.txt", "this link leads out"),
        ("pipe.txt", "a regular file"),
        ("papers", "a regular file"),
    ):
        file.write_text(f"templates: [{{name: T, text: x, attachments: [{name}]}}]")
        refused(tea("apply", str(file)), said)
    file.write_text("templates: [{name: T, text: x, attachments: [within.txt]}]")
    assert "create template 'T'" in fine(tea("apply", str(file)))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("3d", timedelta(days=3)),
        (" 1w ", timedelta(weeks=1)),
    ],
)
def test_lengths_are_read_as_people_write_them(text: str, length: timedelta) -> None:
    assert read_length(text) == length


@pytest.mark.parametrize("text", ["", "3", "d", "-3d", "0d", "3 days", "99999999w", "9999999999s", "٣d"])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(IncorrectValue):
        read_length(text)


def test_a_worker_of_its_own_is_refused_on_sqlite(run: Run, tmp_path: Path) -> None:
    refused(run("worker", DATABASE_URL=f"sqlite:///{tmp_path}/x.db"), "runs inside `drumbeat serve`")


def test_a_database_that_is_away_is_one_line(run: Run) -> None:
    refused(run("status", DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/x"), "correct DRUMBEAT_DATABASE_URL")
    assert "hidden" not in run("status", DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/x").output
    refused(run("status", DATABASE_URL="mysql://x"), "DRUMBEAT_DATABASE_URL")


def test_a_taken_port_is_one_line_that_names_the_variable(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused(run("serve", PORT=str(taken.getsockname()[1])), "DRUMBEAT_PORT")


def test_the_configuration_page_is_what_the_settings_say() -> None:
    page = (ROOT / "docs/configuration.md").read_text("utf-8")
    assert page == configuration_page()
    assert [name for name in Settings.model_fields if f"`DRUMBEAT_{name.upper()}`" not in page] == []


def test_an_open_task_is_listed_completed_and_deleted(run: Run, database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    house = open_house(database, 1, tmp_path)
    sequence = house.sequence(task(content="Call {{ person.first_name }}"), task("9 hours"))
    for name in ("Ada", "Bob"):
        house.enroll(sequence, house.person(name))
    assert fine(run("task", "list")) == "Open tasks: none\n"
    Worker(house.world).step()
    assert "Call Ada" in fine(run("task", "list"))
    assert "completed" in fine(run("task", "complete", "1"))
    assert house.enrollment(1).position == 1
    assert "deleted" in fine(run("task", "delete", "2"))
    assert house.enrollment(2).finished_reason == "task_deleted"
    refused(run("task", "complete", "2"), "There is no task 2.")
    database.close()


def test_a_doubt_counts_as_not_sent_only_once_its_enrollment_has_finished(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    with doubt(database_url, tmp_path) as (house, _):
        refused(run("unknown", "count-as-not-sent", "1"), "The enrollment still runs")
        request = FinishRequested(FinishedReason.MANUAL, house.owner_id)
        house.world.database.transact(lambda tx: finish_all(tx, house.account_id, [1], request))
        assert "counts as not sent" in fine(run("unknown", "count-as-not-sent", "1"))
        assert house.enrollment(1).status == "cancelled"


def test_an_operator_gives_a_user_another_password(tea: Run, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("an operator's choice\n")
    shown = tea("user", "password", "1").stdout
    assert "signs in as" in shown
    assert re.search(r"Password, shown this once: [A-Za-z0-9_-]{43}\n", shown)
    assert "shown" not in tea("user", "password", "1", "--password-file", str(tmp_path / "password")).stdout
    refused(tea("user", "password", "99"), "There is no user 99.")


def test_the_doctor_looks_at_the_server_that_takes_letters_to_users(tea: Run) -> None:
    assert "ok     letters to users\n" in tea("doctor").stdout
    public = tea("doctor", BASE_URL="https://drumbeat.example")
    assert "wrong  letters to users: Invitations and password letters go to the catcher only." in public.stdout
    away = tea("doctor", MAIL_URL="smtp://127.0.0.1:1")
    assert "wrong  letters to users: connect: connection refused Fix: Correct DRUMBEAT_MAIL_URL." in away.stdout
    assert "smtp+starttls://user:password@" in tea("doctor", MAIL_URL="http://x").stdout
    refused(tea("serve", MAIL_URL="smtp://user:word@mail.example"), "a login needs encryption")


def test_people_are_imported_from_a_file_and_exported_as_one(tea: Run, tmp_path: Path) -> None:
    file, left_out = tmp_path / "people.csv", tmp_path / "left-out.csv"
    file.write_text("Name,E-mail,Secret\nAda,ada@x.example,s\nBad,nobody,t\n")
    tried = fine(tea("import", str(file), "--map", "Secret=", "--dry-run"))
    assert re.search(r"Secret +\(left out\)", tried)
    assert "Looked at 2 rows; 1 would be left out, and nothing was written." in tried
    taken = fine(tea("import", str(file), "--map", "Secret=", "--rejected", str(left_out)))
    assert "Import 1 is finished: 2 rows, 1 made, 0 changed, 0 as they were, 1 left out." in taken
    assert "Bad,nobody,t" in left_out.read_text("utf-8-sig")
    assert "1 left out" in fine(tea("import", "--resume", "1"))
    fine(tea("export", "--people", "contact", "--to", str(tmp_path / "out.csv")))
    assert "ada@x.example" in (tmp_path / "out.csv").read_text("utf-8-sig")
    assert "Import 1 is over" in fine(tea("import", "--cancel", "1"))


def test_an_import_says_what_is_wrong_before_anything_is_written(tea: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("A,B\nx,y\n")
    refused(tea("import", str(file)), "--map: Say which column holds the e-mail address, or a name.")
    refused(tea("import", str(file), "--map", "C=email"), "--map: Write COLUMN=FIELD; the columns are: A, B.")
    refused(tea("import", str(file), "--map", "A=colour"), "--map: There is no field 'colour'")
    refused(tea("import", str(file), "--encoding", "klingon"), "--encoding: There is no encoding 'klingon'.")
    refused(tea("import", "--resume", "1"), "There is no import 1.")
    assert tea("import").exit_code == 2
    assert tea("import", str(file), "--resume", "1").exit_code == 2


def test_addresses_are_suppressed_by_hand_and_from_a_file_and_lifted(tea: Run, tmp_path: Path) -> None:
    added = fine(tea("suppression", "add", "ada@tea.example"))
    assert added == "Suppressed 1 addresses, 0 were before; 0 enrollments finished.\n"
    assert fine(tea("suppression", "check", "ADA@tea.example")) == "ADA@tea.example is suppressed.\n"
    file = tmp_path / "stop.csv"
    file.write_text("email\nada@tea.example\nbob@tea.example\nnobody\n")
    taken = fine(tea("suppression", "import", str(file)))
    assert taken.splitlines() == [
        "Suppressed 1 addresses, 1 were before; 0 enrollments finished.",
        "No address, left out: nobody",
    ]
    to = tmp_path / "out.csv"
    assert fine(tea("suppression", "export", str(to))) == f"Wrote the suppressed addresses to {to}.\n"
    assert len(to.read_text("utf-8-sig").splitlines()) == 3
    assert fine(tea("suppression", "lift", "ada@tea.example")) == "ada@tea.example may be written to again.\n"
    assert fine(tea("suppression", "lift", "ada@tea.example")) == "ada@tea.example was not suppressed.\n"
    assert fine(tea("suppression", "check", "ada@tea.example")) == "ada@tea.example is not suppressed.\n"
    assert "suppressed" in fine(tea("suppression", "export"))
    refused(tea("suppression", "add", "nobody"), "email: ")


def test_a_sender_is_looked_up_and_told_what_to_publish(tea: Run) -> None:
    fine(tea("mailbox", "add", "--host", "smtp.tea.example", "--from", "olive@tea.example"))
    with NameServer() as server:
        missing = tea("mailbox", "identity", "1", DNS=server.address)
        assert missing.exit_code == 1
        assert "wrong    SPF: tea.example does not say which servers send for it. Fix: Publish" in missing.output
        assert "wrong  DMARC of olive@tea.example: " in tea("doctor", DNS=server.address).output
        server.records = {
            ("tea.example", "TXT"): ['"v=spf1 a:smtp.tea.example -all"'],
            ("tea.example", "MX"): ["10 mx.tea.example."],
            ("_dmarc.tea.example", "TXT"): ['"v=DMARC1; p=none"'],
            ("smtp.tea.example", "A"): ["192.0.2.9"],
        }
        told = fine(tea("mailbox", "identity", "1", DNS=server.address))
    assert [line.split()[0] for line in told.splitlines()] == ["fine", "doubtful", "fine", "fine", "doubtful", "fine"]
    refused(tea("mailbox", "identity", "9"), "There is no mailbox 9.")
    refused(tea("mailbox", "list", DNS="nowhere"), "DRUMBEAT_DNS: It is an IP address")


def test_the_master_key_is_changed_and_the_old_one_may_go(tea: Run, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hidden word\n")
    login = ("--username", "o", "--password-file", str(secret))
    fine(tea("mailbox", "add", "--host", "127.0.0.1", "--port", "1", "--from", "o@tea.example", *login))
    new = fine(tea("reseal", "--new-key")).strip()
    assert "the installation's key and 1 secrets" in fine(tea("reseal", MASTER_KEY=f"{new},{KEY}"))
    assert "does not work: connect" in tea("mailbox", "test", "1", MASTER_KEY=new).output
    refused(tea("mailbox", "test", "1"), "sealed by another one")


def test_letters_are_signed_with_a_key_that_is_told_where_to_publish(tea: Run, tmp_path: Path) -> None:
    fine(tea("mailbox", "add", "--host", "smtp.tea.example", "--from", "olive@Tea.example"))
    first = fine(tea("mailbox", "sign", "1")).splitlines()
    assert first[0] == "Mailbox 1 signs its letters. Publish this TXT record:"
    assert first[1].startswith("drumbeat._domainkey.tea.example v=DKIM1; k=rsa; p=")
    with NameServer() as server:
        server.records["drumbeat._domainkey.tea.example", "TXT"] = ['"v=DKIM1; p="']
        assert "DKIM: The DKIM key at drumbeat._domainkey" in tea("mailbox", "identity", "1", DNS=server.address).output
    key = tmp_path / "key.pem"
    key.write_text(new_key())
    second = fine(tea("mailbox", "sign", "1", "--selector", "s2026", "--key-file", str(key)))
    assert "s2026._domainkey.tea.example" in second
    assert "PRIVATE" not in second
    assert fine(tea("mailbox", "sign", "1", "--off")) == "Mailbox 1 signs no more.\n"
    assert fine(tea("mailbox", "sign", "1", "--off")) == "Mailbox 1 does not sign.\n"
    key.write_text("nonsense")
    refused(tea("mailbox", "sign", "1", "--key-file", str(key)), "--key-file: It is no private key")
    refused(tea("mailbox", "sign", "1", "--selector", "a b"), "--selector: A selector is letters")
    refused(tea("mailbox", "sign", "9"), "There is no mailbox 9.")


def test_a_mailbox_is_granted_its_login(tea: Run, tmp_path: Path) -> None:
    fine(tea("mailbox", "add", "--host", "smtp.tea.example", "--from", "olive@tea.example"))
    secret = tmp_path / "secret"
    secret.write_text("a refresh token\n")
    words = ("mailbox", "grant", "1", "--username", "olive@tea.example", "--client-id", "c")
    files = ("--refresh-token-file", str(secret), "--client-secret-file", str(secret))
    with TokenServer() as server:
        other = ("--provider", "other", "--token-url", server.url)
        assert "Mailbox 1 logs in as olive@tea.example." in fine(tea(*words, *files, *other))
        broken = tea("mailbox", "test", "1")
        assert broken.exit_code == 1
        assert "a refresh token" not in broken.output
    assert "Mailbox 1 logs in" in fine(tea(*words, *files, "--provider", "microsoft"))
    misused(tea(*words, *files, "--provider", "nobody"), "google, microsoft or other")
    refused(tea(*words, *files, "--provider", "other"), "--token-url: Write something.")
