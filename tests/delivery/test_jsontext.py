"""JSON is written as json writes it, with or without its part in C."""

from __future__ import annotations

import json
import json.encoder
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
    pieces = jsontext._prepared()
    value = {"a": [1, 0.5, None, "\u00e9"], "b": {}}
    assert "".join(pieces(value, 0)) == json.dumps(value, separators=(",", ":"))


def test_what_json_cannot_write() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        jsontext.encode({"a": object()})
