"""manage.py export_postfix, and the way back."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from panel.models import Domain, Generation, Mailbox, Node, Parameter, Table
from panel.services import exporter
from panel.services.nodes import activate
from panel.services.stores import generation_store
from tables.textform import print_postmap
from tests.panel.stockpostfix import accepts, needs_postfix, needs_root, tool, understands

MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.com
mydestination = $myhostname, localhost
alias_maps = hash:$config_directory/aliases
virtual_alias_maps = hash:$config_directory/virtual, regexp:$config_directory/patterns
relay_domains = texthash:$config_directory/relays
smtpd_recipient_restrictions = check_client_access hash:$config_directory/clients,
    check_recipient_access inline:{ {x@example.com = reject} }, insiders,
    check_sender_access cidr:{ {10.0.0.0/8 DUNNO} }, reject_unauth_destination
smtpd_restriction_classes = insiders
insiders = check_sender_access hash:$config_directory/senders, reject
smtp_sasl_password_maps = hash:$config_directory/passwords
"""
FILES = {
    "master.cf": "smtp inet n - n - 20 smtpd\n  -o { smtpd_helo_restrictions = "
    "check_helo_access hash:/etc/postfix/clients, permit }\nrelay unix - - n - - smtp\n",
    "aliases": 'root: joe\n"Jane Doe": jane, "|/bin/cat x y"\n',
    "virtual": "Info@Example.COM joe, jane\n@example.org joe\n",
    "patterns": "if /example/\n/^(.*)@x\\.example$/ joe+$1\nendif\n",
    "relays": "relay.example x\n",
    "clients": "192.0.2.1 check_sender_access hash:/etc/postfix/senders, reject\n10 OK\n",
    "senders": "joe@example.com OK\n<> DUNNO\n",
    "passwords": "mx.example.net user:secret\n",
}


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    directory = tmp_path / "given"
    directory.mkdir()
    for name, text in {"main.cf": MAIN, **FILES}.items():
        (directory / name).write_text(text)
    return directory


def publish() -> str:
    """The digest of the rows, in force."""
    run("publish")
    Node.objects.get_or_create(name="local")
    activate("local")
    manifest = generation_store().current()
    assert manifest is not None
    return manifest.digest


@pytest.mark.usefixtures("committed")
class TestExportPostfix:
    def test_it_works(self, etc: Path, tmp_path: Path) -> None:
        run("import_postfix", str(etc), "--replace")
        publish()
        out = tmp_path / "out"
        run("export_postfix", str(out))
        main = (out / "main.cf").read_text()
        assert "virtual_alias_maps = cdb:$config_directory/virtual, regexp:" in main
        assert "smtpd_forbid_bare_newline = yes" in main  # safe there, too
        assert (out / "virtual").read_text() == "@example.org joe\ninfo@example.com joe, jane\n"
        assert (out / "patterns").read_text() == FILES["patterns"]
        assert f"check_sender_access cdb:{out}/senders, reject" in (out / "clients").read_text()
        assert (out / "passwords").stat().st_mode & 0o777 == 0o600
        assert (out / "passwords").read_text() == FILES["passwords"]

    def test_passwords_are_secret_while_they_are_written(
        self, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run("import_postfix", str(etc), "--replace")
        publish()
        passwords, modes = tmp_path / "out" / "passwords", set()

        def watched(entries: list[tuple[str, str]]) -> str:
            if passwords.exists():
                modes.add(passwords.stat().st_mode & 0o777)
            return print_postmap(entries)

        monkeypatch.setattr(exporter, "print_postmap", watched)
        before = os.umask(0o022)
        try:
            run("export_postfix", str(tmp_path / "out"))
        finally:
            os.umask(before)
        assert modes == {0o600}
        assert (tmp_path / "out" / "virtual.cdb").stat().st_mode & 0o777 == 0o644

    @pytest.mark.parametrize("table_type", ["cdb", "lmdb", "hash"])
    def test_what_comes_back_is_the_same(self, etc: Path, tmp_path: Path, table_type: str) -> None:
        run("import_postfix", str(etc), "--replace")
        before = publish()
        run("export_postfix", str(tmp_path / "out"), "--type", table_type)
        run("import_postfix", str(tmp_path / "out"), "--replace")
        assert publish() == before

    def test_rows_that_are_not_published_can_be_exported(self, etc: Path, tmp_path: Path) -> None:
        run("import_postfix", str(etc), "--replace")
        with pytest.raises(CommandError, match="Nothing was published"):
            run("export_postfix", str(tmp_path / "out"))
        run("export_postfix", str(tmp_path / "out"), "--pending")
        assert (tmp_path / "out" / "virtual.cdb").exists()
        assert not Generation.objects.exists()

    def test_rows_with_errors_are_not_exported(self, tmp_path: Path) -> None:
        Parameter.objects.create(name="relocated_maps", value="hash:missing")
        with pytest.raises(CommandError, match="does not exist"):
            run("export_postfix", str(tmp_path / "out"), "--pending")

    def test_it_overwrites_nothing(self, etc: Path) -> None:
        with pytest.raises(CommandError, match="is not empty"):
            run("export_postfix", str(etc), "--pending")
        assert (etc / "main.cf").read_text() == MAIN

    def test_hosted_mailboxes_come_along(self, tmp_path: Path) -> None:
        mailbox = Mailbox(local_part="joe", quota_bytes=5)
        mailbox.domain = _hosted("example.com")
        mailbox.set_password("correct horse battery")
        mailbox.save()
        said = run("export_postfix", str(tmp_path / "out"), "--pending")
        assert "virtual_mailbox_limit_maps is left out" in said
        assert (tmp_path / "out" / "hosting-mailboxes").read_text() == (
            "joe@example.com example.com/joe/Maildir/\n"
        )

    def test_a_key_without_a_text_form_is_in_the_database(self, tmp_path: Path) -> None:
        table = Table.objects.create(name="odd", type="hash", kind="text")
        table.entries.create(key="two words", lookup_key="two words", value="x")
        Parameter.objects.create(name="relocated_maps", value="hash:odd")
        said = run("export_postfix", str(tmp_path / "out"), "--pending")
        assert "It is in the database only" in said
        assert (tmp_path / "out" / "odd").read_text() == ""


def _hosted(name: str) -> Domain:
    return Domain.objects.create(name=name, kind="virtual_mailbox")


@needs_postfix
@pytest.mark.usefixtures("committed")
class TestStockPostfix:
    @pytest.fixture
    def out(self, etc: Path, tmp_path: Path) -> Path:
        run("import_postfix", str(etc), "--replace")
        run("export_postfix", str(tmp_path / "out"), "--pending")
        return tmp_path / "out"

    def test_postconf_understands_every_line(self, out: Path) -> None:
        understands(out)
        services = tool("postconf", "-M", "-c", str(out))
        assert services.stderr == ""
        assert services.stdout.startswith("smtp       inet  n       y       n       -       20")

    @needs_root
    def test_postfix_would_start_with_it(self, etc: Path, out: Path) -> None:
        accepts(out)
        main = out / "main.cf"
        main.write_text(f"{main.read_text()}no setting\n")
        assert tool("postfix", "-c", str(out), "check").returncode == 1

    @pytest.mark.parametrize(
        ("table", "key", "value"),
        [
            ("cdb:{}/virtual", "info@example.com", "joe, jane"),
            ("cdb:{}/aliases", "jane doe", 'jane, "|/bin/cat x y"'),
            ("regexp:{}/patterns", "a@x.example", "joe+a"),
            ("texthash:{}/relays", "relay.example", "x"),
            ("cdb:{}/senders", "<>", "DUNNO"),
            ("cdb:{}/virtual", "nobody@example.com", ""),
        ],
    )
    def test_postmap_answers_the_same(self, out: Path, table: str, key: str, value: str) -> None:
        done = tool("postmap", "-q", key, table.format(out))
        assert (done.stdout.rstrip("\n"), done.stderr) == (value, "")

    def test_postmap_reads_our_lmdb(self, out: Path, tmp_path: Path) -> None:
        run("export_postfix", str(tmp_path / "lmdb"), "--pending", "--type", "lmdb")
        done = tool("postmap", "-q", "@example.org", f"lmdb:{tmp_path}/lmdb/virtual")
        assert (done.stdout, done.stderr) == ("joe\n", "")

    def test_postmap_builds_the_same_from_our_sources(self, out: Path) -> None:
        assert tool("postmap", f"lmdb:{out}/virtual").stderr == ""
        assert tool("postalias", f"lmdb:{out}/aliases").stderr == ""
        done = tool("postmap", "-q", "jane doe", f"lmdb:{out}/aliases")
        assert done.stdout.rstrip("\n") == 'jane, "|/bin/cat x y"'
