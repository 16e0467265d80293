"""jsontext - JSON as it is written for every message: on one line, in ASCII.

SUMMARY      encode(value) -> str; encoder(default=...) -> such a function, for other values too
FORM         that of json.dumps(value, separators=(",", ":"))
RULES        the values hold no circles: nobody looks for them
             JSONEncoder prepares the encoder in C for each text anew, here it is prepared once: for
             the few members that these texts have, that is a third of their price
ERRORS       those of json
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any


def encoder(default: Callable[[Any], object] | None = None) -> Callable[[object], str]:
    """A function like encode(); `default` makes what JSON can write of any other value."""
    plain = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=default)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without the part of json that is written in C
        return plain.encode
    pieces: Callable[[Any, int], tuple[str, ...]] = make(
        None,
        plain.default,
        json.encoder.encode_basestring_ascii,
        plain.indent,
        plain.key_separator,
        plain.item_separator,
        plain.sort_keys,
        plain.skipkeys,
        plain.allow_nan,
    )
    return lambda value: "".join(pieces(value, 0))


encode = encoder()  # the text of a value
