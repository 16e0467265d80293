"""helper - a twin of the courier: files in a dict, commands that answer as told, all noted."""

from __future__ import annotations

from dataclasses import dataclass, field

from delivery.agents.users import LookupFailed, User
from delivery.courier.wire import Answer, Append, Order, ReadForward, ReadInclude, Run, Store
from delivery.values import Content


@dataclass
class Helper:
    """`files`: path -> text of .forward and :include: files; `answers`: command, path -> Answer."""

    files: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)  # of :include: files
    switches: bool = True
    orders: list[Order] = field(default_factory=list)

    async def carry(self, order: Order, content: Content | None = None) -> Answer:
        self.orders.append(order)
        match order:
            case ReadForward(paths=paths):
                for number, path in enumerate(paths):
                    if path in self.files:
                        return Answer(dsn="2.0.0", found=number, text=self.files[path])
                return Answer(dsn="2.0.0")
            case ReadInclude(path=path, user=user):
                if path not in self.files:
                    return Answer(dsn="5.3.5", reason=f"unable to lookup :include: file {path}")
                owner = "" if user else self.owners.get(path, "")
                return Answer(dsn="2.0.0", found=0, text=self.files[path], owner=owner)
            case Run(command=command, argv=argv):
                done = Answer(dsn="2.0.0", exit_status=0)
                return self.answers.get(command or argv[0], done)
            case Append(path=path) | Store(path=path):
                return self.answers.get(path, Answer(dsn="2.0.0", where=path))

    @property
    def done(self) -> list[str]:
        """user: path or command, of all that was written or run."""
        return [
            f"{order.user}: {order.command or ' '.join(order.argv)}"
            if isinstance(order, Run)
            else f"{order.user}: {order.path}"
            for order in self.orders
            if isinstance(order, (Append, Store, Run))
        ]


class Accounts:
    """Users, numbered from 1000; root is 0, `broken` cannot be asked for."""

    def __init__(self, *names: str) -> None:
        self._users = {
            name: User(name, 1000 + number, f"/home/{name}", "/bin/sh")
            for number, name in enumerate(names)
        }
        self._users["root"] = User("root", 0, "/root", "/bin/sh")

    async def find(self, name: str) -> User | None:
        if name == "broken":
            raise LookupFailed(name)
        return self._users.get(name)
