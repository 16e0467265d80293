"""manage.py import_postfix"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from panel.models import Change, Domain, Parameter, Table
from panel.services.stores import lint_rows


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("import_postfix", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmyhostname = mx.example.com\nalias_maps =\n"
        "virtual_alias_maps = hash:$config_directory/aliasing\n"
    )
    (tmp_path / "aliasing").write_text("a@example.com joe@example.net\n")
    return tmp_path


@pytest.mark.usefixtures("committed")
class TestImportPostfix:
    def test_it_works(self, etc: Path) -> None:
        Domain.objects.create(name="hosted.example", kind="virtual_alias")
        said = run(str(etc), "--replace", "--user", "amy")
        assert "main.cf:2: understood: myhostname = mx.example.com" in said
        assert Parameter.objects.get(name="virtual_alias_maps").value == "hash:aliasing"
        assert Domain.objects.exists()  # another layer
        change = Change.objects.filter(model="parameter").first()
        assert change is not None
        assert (change.actor, change.source) == ("amy", "command")
        assert lint_rows().is_publishable

    def test_a_dry_run_changes_nothing(self, etc: Path) -> None:
        before = Change.objects.count()
        said = run(str(etc), "--replace", "--dry-run")
        assert "Nothing was changed" in said
        assert "1 entry of the table hash:aliasing" in said
        assert Change.objects.count() == before
        assert not Table.objects.filter(name="aliasing").exists()

    def test_the_report_is_json(self, etc: Path) -> None:
        report = json.loads(run(str(etc), "--json"))
        assert report["rows"]["tables"] == 1
        assert {"file": "main.cf", "line": 2, "level": "understood",
                "text": "myhostname = mx.example.com"} in report["lines"]  # fmt: skip

    def test_the_well_known_tables_stay_in_use(self, etc: Path) -> None:
        run(str(etc), "--replace")
        assert Parameter.objects.get(name="transport_maps").value == "hash:transport"
        assert Table.objects.filter(name__in=("aliases", "virtual", "transport")).count() == 3

    def test_a_million_line_map_would_stream(self, etc: Path) -> None:
        lines = (f"user{n}@example.com box{n % 7}@example.net\n" for n in range(20_000))
        with (etc / "aliasing").open("w") as out:
            out.writelines(lines)
        assert "20000 entries of the table" in run(str(etc), "--replace")
        assert Table.objects.get(name="aliasing").entries.count() == 20_000

    @pytest.mark.parametrize("name", ["", "nowhere"])
    def test_it_refuses_what_is_no_configuration(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(CommandError, match=r"There is no main\.cf"):
            run(str(tmp_path / name))
