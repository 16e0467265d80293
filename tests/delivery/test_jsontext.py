"""JSON is written as json writes it, with or without its part in C."""

from __future__ import annotations

import json
import json.encoder
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_it_is_what_json_writes(value: Any) -> None:
    assert jsontext.encode(value) == json.dumps(value, separators=(",", ":"))


def test_without_the_part_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    value = {"a": [1, 0.5, None, "\u00e9"], "b": {}}
    assert jsontext.encoder()(value) == json.dumps(value, separators=(",", ":"))


def test_other_values_become_what_is_made_of_them() -> None:
    encode = jsontext.encoder(default=str)
    assert encode({"at": [Path("/a"), 1]}) == '{"at":["/a",1]}'


def test_what_json_cannot_write() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        jsontext.encode({"a": object()})
