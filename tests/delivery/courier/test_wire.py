"""Orders and answers: exactly what they are, or refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from delivery.courier.wire import (
    ORDER_LIMIT,
    Answer,
    BadOrder,
    Order,
    ReadForward,
    ReadInclude,
    decode,
    encode,
    read_answer,
    write_answer,
)
from tests.delivery.courier.orders import append, run, store

FORWARD = ReadForward(user="joe", paths=("/home/joe/.forward",))


@pytest.mark.parametrize(
    "order",
    [append("/a"), store("/a/"), run("x"), FORWARD, ReadInclude(user="", path="/l", fallback="n")],
)
def test_it_works(order: Order) -> None:
    assert decode(encode(order)) == order


def test_bytes_that_are_no_text_come_through() -> None:
    order = replace(append("/a"), prefix="X: \udcff\n\0")
    assert decode(encode(order)) == order
    answer = Answer(dsn="2.0.0", text="\udcff")
    assert read_answer(write_answer(answer)) == answer


def changed(**values: object) -> bytes:
    return json.dumps({**json.loads(encode(append("/a"))), **values}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"do": "Reboot"}',
        changed(more=1),
        changed(user=None),
        changed(user="a\0b"),
        changed(limit=True),
        changed(limit="1"),
        changed(locks="fcntl"),
        changed(locks=[1]),
        changed(path="box"),
        changed(owned=1),
        json.dumps({"do": "ReadForward", "user": "joe", "paths": ["/a", "b"]}).encode(),
        json.dumps({"do": "ReadForward", "user": "joe"}).encode(),
    ],
)
def test_what_is_no_order_is_refused(data: bytes) -> None:
    with pytest.raises(BadOrder):
        decode(data)


def test_an_order_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(BadOrder):
        encode(run("x" * ORDER_LIMIT))


@pytest.mark.parametrize("data", [b"", b'{"dsn": "2.0.0"', b"1", b'{"dsn": "2.0.0"}'])
def test_an_answer_that_is_not_whole_is_none(data: bytes) -> None:
    with pytest.raises(BadOrder):
        read_answer(data)
