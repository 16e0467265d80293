"""bulk - many writes of one kind of row in one request: all or nothing.

SUMMARY      Bulk(view, body).run() -> what was done, as counts and ids
RULES        the body is a list; each item is the body of a row to create, or has an "op":
             {"op": "create", ...}, {"op": "update", "id" or natural key, ...},
             {"op": "delete", "id" or natural key}, {"op": "upsert", natural key, ...}.
             update is a PATCH, upsert a PUT by key. They count as done one after the other.
             Rows are checked one by one, by the same forms as single ones; what only the database
             knows (which rows are there, which keys are taken) is asked for all of them at once,
             and they are written by few statements. Where entries are only added, most need no
             form: bulknew.py.
ERRORS       a problem document whose errors say the index of the operation, and the line where it
             came as CSV; nothing is written
LIMITS       OPERATIONS_LIMIT; a row that one operation makes cannot be referred to by another one
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError as ModelError
from django.utils.translation import gettext as _
from rest_framework import serializers

from panel.api.bulknew import NewEntries, read_new
from panel.api.fields import CONTROL
from panel.api.permissions import demand
from panel.api.problems import ERRORS_LIMIT, Problem, conflict, flatten
from panel.api.rowform import RowForm

OPERATIONS_LIMIT = 100_000
CHUNK = 1000  # rows asked for or written by one statement
NEEDS: dict[str, tuple[str, ...]] = {
    "create": ("add",),
    "update": ("change",),
    "delete": ("delete",),
    "upsert": ("add", "change"),
}

Key = tuple[tuple[str, Any], ...]  # (column, value), ...


@dataclass(slots=True)
class Operation:
    """One item of the body."""

    index: int
    op: str
    values: dict[str, Any]
    pk: int | None = None
    key: Key | None = None
    row: Any = None
    did: str = ""


@dataclass(slots=True)
class Edited:
    """A row that is written: its columns before, if it was there, and the values given."""

    row: Any
    before: dict[str, Any]
    form_values: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> set[str]:
        """The columns that differ."""
        return {name for name, value in self.before.items() if getattr(self.row, name) != value}


class Bulk:
    """One bulk edit of the rows of a view."""

    def __init__(self, view: Any, body: Any) -> None:
        self.view = view
        self.model = view.get_queryset().model
        self.context = {**view.get_serializer_context(), "in_bulk": True}
        self.errors: list[dict[str, Any]] = []
        self.conflicts_only = True
        self.lines: Sequence[int] = getattr(body, "lines", ())
        self.operations = [self._read(index, item) for index, item in enumerate(_items(body))]
        self.present: dict[int, Any] = {}  # rows that were there and are still, by id
        self.by_key: dict[Key, list[Any]] = {}
        self.created: dict[int, Edited] = {}  # by id() of the row: it has no other yet
        self.edited: dict[int, Edited] = {}  # by id of the row
        self.removed: set[int] = set()

    def run(self) -> dict[str, Any]:
        """Checks and writes everything. Raises Problem."""
        self._stop_at_errors()
        for action in sorted({a for each in self.operations for a in NEEDS[each.op]}):
            demand(self.view.request, self.view.permission_model, action)
        self.view.check_bulk(each.values for each in self.operations)
        new = self._read_new()
        if new is not None:
            return _summary_of_new(new.write())
        self._find_rows()
        for operation in self.operations:
            if len(self.errors) >= ERRORS_LIMIT:
                break
            self._attempt(operation)
        self._check_taken()
        self._stop_at_errors()
        self._write()
        return self._summary()

    def _read_new(self) -> NewEntries | None:
        """What is to be added, when nothing else is to be done. Raises Problem."""
        ops = {operation.op for operation in self.operations}
        if not ops <= {"create", "upsert"}:
            return None
        new = read_new(self.view, [operation.values for operation in self.operations])
        if new is None or ("upsert" in ops and new.taken()) or not self._check_odd(new):
            return None
        taken = new.taken()
        if taken and "upsert" in ops:
            return None
        for index in taken:
            self.errors += [{"index": index, **each} for each in self._taken().errors]
        self._stop_at_errors()
        return new

    def _check_odd(self, new: NewEntries) -> bool:
        """Has the forms look at what is not plain; False when it is not for this table."""
        for place in new.odd():
            if len(self.errors) >= ERRORS_LIMIT:
                break
            with self._noting(place):
                form = self._form(None)
                form.run_validation(self.operations[place].values)
                if not new.put(place, form.row):
                    return False
        self._stop_at_errors()
        return True

    # -- reading ------------------------------------------------------------------------------

    def _read(self, index: int, item: Any) -> Operation:
        """The operation; what is wrong with its form is noted."""
        if not isinstance(item, dict):
            self._note(index, "", _("Each item must be an object."))
            return Operation(index, "create", {})
        values = dict(item)
        op = values.pop("op", "create")
        if not isinstance(op, str) or op not in NEEDS:
            self._note(index, "op", _("Say one of %s.") % ", ".join(NEEDS))
            return Operation(index, "create", {})
        operation = Operation(index, op, values)
        if op in ("update", "delete") and "id" in values:
            operation.pk = self._id_of(index, values.pop("id"))
        elif op != "create":
            operation.key = self._key_of(index, values)
        if op == "delete" and set(values) - {*self.view.key_fields, "table"}:
            self._note(index, "", _("To delete, give the id or the natural key, and nothing else."))
        return operation

    def _id_of(self, index: int, given: Any) -> int:
        if isinstance(given, int) and not isinstance(given, bool) and 0 < given < 2**63:
            return given
        self._note(index, "id", _("An id is a positive number."))
        return 0

    def _key_of(self, index: int, values: Mapping[str, Any]) -> Key | None:
        """The key that the values name."""
        wrong = [
            name
            for name in self.view.key_fields
            if not isinstance(values.get(name), str) or CONTROL.search(values[name])
        ]
        for name in wrong:
            self._note(index, name, _("Give the natural key of the row, as one line of text."))
        if wrong:
            return None
        try:
            return tuple(self.view.key_columns(values).items())
        except ModelError as error:
            self._note_all(index, self._form(None).in_api_words(error))
        except serializers.ValidationError as error:
            self._note_all(index, error.detail)
        return None

    def _find_rows(self) -> None:
        """The rows that the operations name, held until the end of the transaction."""
        queryset = self.view.get_queryset().select_for_update(of=("self",))
        ids = sorted({each.pk for each in self.operations if each.pk})
        for some in _chunks(ids):
            self._remember(queryset.filter(pk__in=some))
        groups: dict[tuple[Any, ...], set[Any]] = {}
        for each in self.operations:
            if each.key:
                *scope, (column, value) = each.key
                groups.setdefault((*scope, column), set()).add(value)
        for (*scope, column), found in groups.items():
            for some in _chunks(sorted(found)):
                self._remember(queryset.filter(**dict(scope), **{f"{column}__in": some}))

    def _remember(self, rows: Any) -> None:
        for row in rows.order_by("pk"):
            if row.pk not in self.present:
                self.present[row.pk] = row
                self._place(row)

    # -- one operation ------------------------------------------------------------------------

    def _attempt(self, operation: Operation) -> None:
        """Does it to the rows in memory; what is wrong with it is noted."""
        with self._noting(operation.index):
            self._perform(operation)

    def _perform(self, operation: Operation) -> None:
        row = None if operation.op == "create" else self._target(operation)
        if row is None:
            self._create(operation)
        elif operation.op == "delete":
            self._delete(operation, row)
        else:
            self._edit(operation, row)

    def _target(self, operation: Operation) -> Any:
        """The row that is meant; None where an upsert makes a new one. Raises Problem."""
        if operation.pk is not None:
            found = [self.present[operation.pk]] if operation.pk in self.present else []
        else:
            found = self.by_key.get(operation.key or (), [])
        if len(found) > 1:
            raise Problem(409, _("Several rows have this key: name the one you mean by its id."))
        if not found and operation.op != "upsert":
            raise Problem(404, _("There is no such row."))
        return found[0] if found else None

    def _create(self, operation: Operation) -> None:
        form = self._form(None)
        attrs = form.run_validation(operation.values)
        self._demand_free(form, form.row)
        operation.row, operation.did = form.row, "create"
        self.created[id(form.row)] = Edited(form.row, {}, dict(attrs))
        self._place(form.row)

    def _edit(self, operation: Operation, row: Any) -> None:
        if row.pk is not None and row.pk not in self.edited:
            self.edited[row.pk] = Edited(row, _columns(row))
        form = self._form(row, partial=operation.op == "update")
        self._displace(row)
        try:
            attrs = form.run_validation(operation.values)
            self._demand_free(form, row)
        finally:
            self._place(row)
        edited = self.created[id(row)] if row.pk is None else self.edited[row.pk]
        edited.form_values.update(attrs)
        operation.row, operation.did = row, "update"

    def _delete(self, operation: Operation, row: Any) -> None:
        self._displace(row)
        operation.row, operation.did = row, "delete"
        if row.pk is None:
            del self.created[id(row)]
            return
        operation.pk = row.pk
        self.removed.add(row.pk)
        del self.present[row.pk]
        self.edited.pop(row.pk, None)

    # -- keys ---------------------------------------------------------------------------------

    def _place(self, row: Any) -> None:
        self.by_key.setdefault(self.view.key_of(row), []).append(row)

    def _displace(self, row: Any) -> None:
        key = self.view.key_of(row)
        self.by_key[key] = [each for each in self.by_key.get(key, ()) if each is not row]

    def _demand_free(self, form: RowForm, row: Any) -> None:
        """Raises Problem 409 when a row of this edit has the key."""
        key = self.view.unique_key(row)
        if key is not None and any(each is not row for each in self.by_key.get(key, ())):
            raise self._taken()

    def _taken(self) -> Problem:
        message = _("There is a row with this key already.")
        return conflict([{"field": self.view.key_fields[0], "message": message}])

    def _check_taken(self) -> None:
        """Asks the database whether rows that nobody mentioned have a key that is wanted."""
        wanted: dict[tuple[Any, ...], dict[Any, int]] = {}
        for operation in self.operations:
            if operation.did not in ("create", "update"):
                continue
            key = self.view.unique_key(operation.row)
            if key is not None:
                *scope, (column, value) = key
                wanted.setdefault((*scope, column), {})[value] = operation.index
        for (*scope, column), indexes in wanted.items():
            others = self.model._default_manager.filter(**dict(scope))
            for some in _chunks(list(indexes)):
                taken = others.filter(**{f"{column}__in": some}).values_list("pk", column)
                for pk, value in taken:
                    if pk not in self.removed and pk not in self.edited:
                        self.errors += [
                            {"index": indexes[value], **each} for each in self._taken().errors
                        ]

    # -- writing ------------------------------------------------------------------------------

    def _write(self) -> None:
        """Removals, then changes, then additions.

        By the ids of rows that were found in the view: to ask once more whether they belong to it
        would be a join, which takes minutes where the planner believes the table to be empty.
        """
        for some in _chunks(sorted(self.removed)):
            self.model._base_manager.filter(pk__in=some).delete()
        self._write_edited()
        rows = [each.row for each in self.created.values()]
        self.model._default_manager.bulk_create(rows, batch_size=CHUNK)
        form = self._form(None)
        for edited in (*self.created.values(), *self.edited.values()):
            form.after_save(edited.row, edited.form_values)

    def _write_edited(self) -> None:
        """One by one where the key changes, for the order matters; the others together."""
        together: dict[frozenset[str], list[Any]] = {}
        for edited in self.edited.values():
            changed = edited.changed
            if changed & self.view.key_attributes:
                edited.row.save()
            elif changed:
                together.setdefault(frozenset(changed), []).append(edited.row)
        for columns, rows in together.items():
            self.model._base_manager.bulk_update(rows, sorted(columns), batch_size=CHUNK)

    def _summary(self) -> dict[str, Any]:
        done = [each.did for each in self.operations]
        return {
            "count": len(self.operations),
            "created": len(self.created),
            "updated": sum(1 for each in self.edited.values() if each.changed),
            "deleted": len(self.removed),
            "results": [
                {"op": did, "id": each.pk or each.row.pk}
                for did, each in zip(done, self.operations, strict=True)
            ],
        }

    # -- forms and errors ---------------------------------------------------------------------

    def _form(self, row: Any, *, partial: bool = False) -> RowForm:
        """A form for the row. One of each sort is made, and used for all rows."""
        forms: dict[tuple[bool, bool], RowForm] = self.context.setdefault("forms", {})
        sort = (row is None, partial)
        if sort not in forms:
            make = self.view.get_serializer_class()
            forms[sort] = make(instance=row, partial=partial, context=self.context)
        forms[sort].instance = row
        return forms[sort]

    @contextmanager
    def _noting(self, index: int) -> Iterator[None]:
        """What is wrong with an operation becomes errors at its index."""
        try:
            yield
        except serializers.ValidationError as error:
            self._note_all(index, error.detail)
        except Problem as problem:
            if problem.status_code not in (400, 404, 409):
                raise
            self.conflicts_only &= problem.status_code == 409
            errors = problem.errors or [{"field": "", "message": str(problem.detail)}]
            self.errors += [{"index": index, **each} for each in errors]

    def _note(self, index: int, name: str, message: str) -> None:
        self.conflicts_only = False
        self.errors.append({"index": index, "field": name, "message": message})

    def _note_all(self, index: int, detail: Any) -> None:
        self.conflicts_only = False
        self.errors += [{"index": index, **each} for each in flatten(detail)]

    def _stop_at_errors(self) -> None:
        if self.errors:
            if self.lines:
                for each in self.errors:
                    each["line"] = self.lines[each["index"]]
            first = self.errors[0]
            number = _("Line %d") % first["line"] if self.lines else str(first["index"])
            place = f"{number}.{first['field']}".removesuffix(".")
            raise Problem(
                409 if self.conflicts_only else 400,
                _("Nothing was changed. %(place)s: %(message)s")
                % {"place": place, "message": first["message"]},
                errors=self.errors,
            )


def _items(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise Problem(400, _("The body of a bulk edit is a list of operations."))
    if len(body) > OPERATIONS_LIMIT:
        raise Problem(413, _("At most %d operations fit into one request.") % OPERATIONS_LIMIT)
    return body


def _summary_of_new(ids: Sequence[int]) -> dict[str, Any]:
    results = [{"op": "create", "id": pk} for pk in ids]
    counts = {"count": len(ids), "created": len(ids), "updated": 0, "deleted": 0}
    return {**counts, "results": results}


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _columns(row: Any) -> dict[str, Any]:
    return {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}
