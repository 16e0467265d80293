"""Fields for what people write differently than a row holds it."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from panel.forms.fields import LinesField, PairsField, QuotaField, quota_text


@pytest.mark.parametrize(
    "written, size",
    [
        ("500 MB", 500 * 2**20),
        ("500MB", 500 * 2**20),
        ("500 m", 500 * 2**20),
        ("2 GiB", 2 * 2**30),
        ("1.5 GB", 3 * 2**29),
        ("1,5 GB", 3 * 2**29),
        ("1024", 1024),
        ("10 bytes", 10),
        (" 1 TB ", 2**40),
        ("", None),
    ],
)
def test_it_works(written: str, size: int | None) -> None:
    assert QuotaField(required=False).clean(written) == size


@pytest.mark.parametrize(
    "written",
    [
        "lots",
        "-5 MB",
        "0",
        "0.00001 B",
        "5 XB",
        "1e9",
        "9" * 40,
        "99999999 TB",
        "1 2 MB",
        "5 MB x",
    ],
)
def test_it_refuses_what_is_no_size(written: str) -> None:
    with pytest.raises(ValidationError):
        QuotaField(required=False).clean(written)


@pytest.mark.parametrize("size", [1, 1023, 1024, 500 * 2**20, 2**31 + 1, 3 * 2**40, 2**60])
def test_a_size_comes_back_as_it_was(size: int) -> None:
    assert QuotaField().clean(quota_text(size)) == size
    assert not QuotaField().has_changed(size, quota_text(size))


def test_lines_become_a_list_with_commas() -> None:
    field = LinesField()
    assert field.clean("a@x\r\n\r\n b@x , \nc@x,d@x") == "a@x, b@x, c@x,d@x"
    assert field.prepare_value(["a", "b"]) == "a\nb"
    assert not field.has_changed(["a", "b"], "a\n b,\n")
    assert field.has_changed(["a"], "a\nb")
    with pytest.raises(ValidationError):
        field.clean(" \n , \n")


def test_pairs_become_a_dict() -> None:
    field = PairsField(required=False)
    assert field.clean("a=1\n -o b = x=y \n\n c=") == {"a": "1", "b": "x=y", "c": ""}
    assert field.prepare_value({"a": "1", "b": "2"}) == "a=1\nb=2"
    assert not field.has_changed({"a": "1"}, "-o a=1")
    for wrong in ("nothing", "=1", "a=1\na=2", "a=" + "x" * 200_000):
        with pytest.raises(ValidationError):
            field.clean(wrong)
