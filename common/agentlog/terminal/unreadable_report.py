"""The report of unreadable records on standard error: a line for each reason, with the number of its records."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..event.escape import escape_controls
from ..event.event import Unreadable
from .output import write_stderr

MAX_REASONS = 20
"""At most this many reasons are told."""

_DETAIL = re.compile(r"\(byte \d+\)|at byte \d+|(?<=^not JSON).*", re.DOTALL)
"""The part of a reason that differs between lines of the same kind."""
_SCHEMA = re.compile(r"\(schema ([^)]+)\)")
MAX_SCHEMAS = 10
"""At most this many schemas of a reason are named."""


@dataclass
class _Kind:
    """The unreadable records that have the same reason: the first one, how many they are, and their schemas."""

    first: Unreadable
    count: int = 0
    schemas: set[str] = field(default_factory=set)


@dataclass
class UnreadableReport:
    """Unreadable records, by their reasons."""

    kinds: dict[str, _Kind] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)
    count: int = 0

    def add(self, unreadable: Unreadable, count: int = 1) -> bool:
        """Add an unreadable record, or ``count`` of them of which it is the first. Return whether its reason is new."""
        if unreadable.where in self.places:
            return False
        self.places.add(unreadable.where)
        self.count += count
        reason = _SCHEMA.sub("", _DETAIL.sub("", unreadable.reason))
        is_new = reason not in self.kinds
        kind = self.kinds.setdefault(reason, _Kind(unreadable))
        kind.count += count
        kind.schemas.update(_SCHEMA.findall(unreadable.reason)[:1])
        return is_new

    def announce(self, unreadable: Unreadable) -> None:
        """Add an unreadable record, and name it at once if no earlier one has the same reason."""
        if self.add(unreadable) and len(self.kinds) <= MAX_REASONS:
            write_stderr(_describe(_Kind(unreadable, 1)))

    def write(self) -> None:
        """Write a line for each reason."""
        kinds = list(self.kinds.values())
        for kind in kinds[:MAX_REASONS]:
            write_stderr(_describe(kind))
        if rest := sum(kind.count for kind in kinds[MAX_REASONS:]):
            write_stderr(f"unreadable: {rest:,} more, for other reasons")


def _describe(kind: _Kind) -> str:
    of_count = f", the first of {kind.count:,}" if kind.count > 1 else ""
    reason = (
        kind.first.reason if len(kind.schemas) < 2 else _SCHEMA.sub(lambda _: _list_schemas(kind), kind.first.reason)
    )
    return f"unreadable: {escape_controls(kind.first.where)}{of_count}: {escape_controls(reason)}"


def _list_schemas(kind: _Kind) -> str:
    schemas = sorted(kind.schemas, key=lambda schema: (len(schema), schema))
    rest = f" and {len(schemas) - MAX_SCHEMAS:,} more" if len(schemas) > MAX_SCHEMAS else ""
    return f"(schemas {', '.join(schemas[:MAX_SCHEMAS])}{rest})"


def report_unreadable(records: Iterable[Unreadable]) -> None:
    """Write a line for each reason of unreadable records."""
    report = UnreadableReport()
    for unreadable in records:
        report.add(unreadable)
    report.write()
