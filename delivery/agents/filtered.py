"""filtered - an agent whose outcomes are seen by a table first, and put into other words.

SUMMARY      FilteredAgent(agent, maps, name).deliver(): what the agent does, in words of a table
RULES        asked with "5.1.1 what happened", it answers "4.2.1 other words"; no answer: unchanged
             success stays success, failure stays failure; 4 and 5 may take each other's place
             what another transport did for a recipient was filtered there
ERRORS       an answer that cannot be is left, and logged. A table that cannot be asked defers what
             would have been returned; what is delivered or waits stays as it is
SOURCE       postconf(5) default_delivery_status_filter and its kin
"""

from __future__ import annotations

import re
from dataclasses import replace

from delivery import log
from delivery.agents.base import Agent, Delivery, Part, Result
from delivery.values import Outcome, Status
from tables.errors import TableError
from tables.reading.lookup import Maps

_ANSWER = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})\s+(\S.*)", re.DOTALL)  # RFC 3463 2
_STATUS = {"4": Status.DEFERRED, "5": Status.BOUNCED}


class FilteredAgent:
    """`name` is the parameter that names the tables, for the log."""

    def __init__(self, agent: Agent, maps: Maps, name: str) -> None:
        self.agent = agent
        self._maps = maps
        self._name = name

    async def deliver(self, delivery: Delivery) -> Result:
        """Deliver, and say it in other words."""
        result = await self.agent.deliver(delivery)
        parts = {who: tuple(map(self._part, made)) for who, made in result.parts.items()}
        outcomes = []
        for outcome in result.outcomes:
            before, after = result.parts.get(outcome.recipient), parts.get(outcome.recipient)
            if before is None or after is None:
                outcomes.append(self._outcome(outcome))
            else:
                outcomes.append(_whole(outcome, before, after))
        return replace(result, outcomes=tuple(outcomes), parts=parts)

    def _part(self, part: Part) -> Part:
        if part.route is not None or part.is_news:
            return part
        return replace(part, outcome=self._outcome(part.outcome))

    def _outcome(self, outcome: Outcome) -> Outcome:
        asked = f"{outcome.dsn} {outcome.reason}"
        try:
            answer = self._maps.get(asked)
        except TableError as error:
            log.event("delivery", problem=f"{self._name}: {error}")
            if outcome.status is not Status.BOUNCED:
                return outcome
            return replace(outcome, status=Status.DEFERRED, dsn=f"4{outcome.dsn[1:]}")
        if answer is None:
            return outcome
        found = _ANSWER.fullmatch(answer.strip())
        if found is None or (found[1][0] == "2") != (outcome.status is Status.SENT):
            log.event("delivery", problem=f"{self._name}: {answer!r} cannot stand for {asked!r}")
            return outcome
        status = _STATUS.get(found[1][0], outcome.status)
        return replace(outcome, status=status, dsn=found[1], reason=found[2])


def _whole(outcome: Outcome, before: tuple[Part, ...], after: tuple[Part, ...]) -> Outcome:
    """Is a recipient that stands for several others done with?"""
    if _waits(after) == _waits(before):
        return outcome
    status, digit = (Status.DEFERRED, "4") if _waits(after) else (Status.SENT, "2")
    return replace(outcome, status=status, dsn=f"{digit}{outcome.dsn[1:]}")


def _waits(parts: tuple[Part, ...]) -> bool:
    return any(part.outcome.status is Status.DEFERRED for part in parts)
