"""The router as sessions use it: DSN parameters, duplicates, memory, and the policy room's view."""

from __future__ import annotations

from delivery.policy.facts import Addresses
from delivery.routing.router import KEPT_ANSWERS, Router
from delivery.values import AddressClass, Recipient, Route
from tables.addresses import Address
from tables.parameters import Parameters
from tests.delivery.routing.script import BASE
from tests.delivery.twins_policy import Listener, MemoryTables

JOE = Address("joe", "my.domain")


def router(**raw: str) -> Router:
    tables = MemoryTables()
    tables.add("hash:virtual", {"list@my.domain": "joe@my.domain, jane@far.test"})
    return Router(Parameters({**BASE, "virtual_alias_maps": "hash:virtual", **raw}), tables)


def recipient(local: str, **more: object) -> Recipient:
    address = Address(local, "my.domain")
    return Recipient(address=address, original=address, **more)  # type: ignore[arg-type]


def test_it_works() -> None:
    found = router().resolve(JOE)
    assert found.address_class is AddressClass.LOCAL
    assert found.route == Route("local", "mail.my.domain")
    assert (found.is_routed, found.is_bad) == (False, False)


def test_policy_can_ask_it() -> None:
    addresses: Addresses = router()  # the type checker is the test
    assert addresses.is_local("my.domain")
    assert not addresses.is_own("192.0.2.1")


def test_a_recipient_keeps_its_original_and_its_parameters() -> None:
    given = recipient("list", notify=frozenset({"FAILURE"}), orcpt="rfc822;first@my.domain")
    queued = router().expand([given]).recipients
    assert [each.address.internal for each in queued] == ["joe@my.domain", "jane@far.test"]
    assert {each.original.internal for each in queued} == {"list@my.domain"}
    assert {each.orcpt for each in queued} == {"rfc822;first@my.domain"}
    assert {each.notify for each in queued} == {frozenset({"FAILURE"})}


def test_a_recipient_without_orcpt_gets_its_own_address() -> None:
    given = Address("a b"), Address("jörg", "my.domain")
    queued = router().expand(Recipient(address=each, original=each) for each in given).recipients
    assert [each.orcpt for each in queued] == [
        'rfc822;"a b"@mail.my.domain',
        "utf-8;jörg@my.domain",
    ]


def test_nobody_hears_that_a_copy_could_not_be_delivered() -> None:  # postconf(5) always_bcc
    asking = router(always_bcc="list@my.domain")
    given = recipient("jim", notify=frozenset({"FAILURE"}))
    queued = asking.expand([given], copies_for=JOE, copies=[JOE]).recipients
    heard = {(each.address.internal, tuple(each.notify)) for each in queued}
    assert heard == {
        ("joe@my.domain", ("NEVER",)),
        ("jane@far.test", ("NEVER",)),
        ("jim@my.domain", ("FAILURE",)),
    }


def test_success_is_reported_at_the_expansion() -> None:  # RFC 3461 5.2.7.1
    both = frozenset({"SUCCESS", "FAILURE"})
    expansion = router().expand([recipient("list", notify=both)])
    assert {each.notify for each in expansion.recipients} == {frozenset({"FAILURE"})}
    assert [each.address.internal for each in expansion.expanded] == ["list@my.domain"]
    assert expansion.expanded[0].notify == both


def test_success_alone_becomes_never() -> None:
    expansion = router().expand([recipient("list", notify=frozenset({"SUCCESS"}))])
    assert {each.notify for each in expansion.recipients} == {frozenset({"NEVER"})}


def test_success_stays_where_nothing_is_expanded() -> None:
    expansion = router().expand([recipient("joe", notify=frozenset({"SUCCESS"}))])
    assert expansion.expanded == ()
    assert expansion.recipients[0].notify == frozenset({"SUCCESS"})


def test_equal_recipients_are_queued_once_unless_they_were_given_differently() -> None:
    twice = router().expand([recipient("joe"), recipient("JOE"), recipient("list")]).recipients
    assert [each.address.internal for each in twice] == [
        "joe@my.domain",
        "joe@my.domain",
        "jane@far.test",
    ]
    once = router(enable_original_recipient="no").expand([recipient("joe"), recipient("list")])
    assert [each.address.internal for each in once.recipients] == ["joe@my.domain", "jane@far.test"]


def test_beyond_the_filter_limit_duplicates_pass() -> None:
    limited = router(duplicate_filter_limit="1")
    given = [recipient("joe"), recipient("kim"), recipient("kim"), recipient("joe")]
    names = [each.address.local for each in limited.expand(given).recipients]
    assert names == ["joe", "kim", "kim"]


def test_it_remembers_no_more_than_it_may() -> None:
    busy = router()
    for number in range(KEPT_ANSWERS + 10):
        busy.resolve(Address(f"user{number}", "my.domain"))
    assert len(busy._known) <= KEPT_ANSWERS


def test_a_listener_hears_every_question_even_when_the_answer_is_known() -> None:
    known = router(transport_maps="hash:virtual")
    known.resolve(JOE)
    listener = Listener()
    known.resolve(JOE, None, listener.lookup)
    assert [key for _, key, _ in listener.lookups] == ["joe@my.domain", "my.domain", ".domain", "*"]


def test_what_may_change_is_asked_each_time() -> None:
    """randmap: deals mail out, and a next hop that is dead is not that of a recipient for good."""
    dealing = router(transport_maps="pipemap:{static:x, randmap:{smtp:[a.test], smtp:[b.test]}}")
    found = {dealing.resolve(JOE).route.nexthop for _ in range(100)}
    assert found == {"[a.test]", "[b.test]"}
    assert not dealing._known
