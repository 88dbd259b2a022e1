"""What the parts of a running mirror share: both sides, the copies, what went wrong, and bells to ring."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..kafka.cluster_view import Side
from ..kafka.event_loop import Loop, Signal
from ..kafka.metadata import Partition
from .partition_copy import Copying, State
from .wait_log import Troubles


@dataclass(eq=False)
class Running:
    """A running mirror.

    Attributes:
        copies, by_target: its partitions, by their source and by their target.
        error: what stopped it.
        stopping: whether nothing new is to be fetched or sent.
        changed: rung when something is acknowledged, or stops it.
        again: partitions whose place must be looked up again.
        stale: rung when the leaders of either side must be asked for anew.
    """

    loop: Loop
    source: Side
    target: Side
    accept_loss: bool = False
    troubles: Troubles = field(default_factory=Troubles)
    copies: dict[Partition, Copying] = field(default_factory=dict)
    by_target: dict[Partition, Copying] = field(default_factory=dict)
    error: BaseException | None = None
    stopping: bool = False
    losses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changed, self.stale, self.again = Signal(self.loop), Signal(self.loop), Signal(self.loop)
        self.to_examine: list[Copying] = []
        self.send_bells: dict[int, Signal] = {}
        self.fetch_bells: dict[int, Signal] = {}

    def add(self, copies: Iterable[Copying]) -> None:
        """Take up further partitions."""
        for copying in copies:
            self.copies[copying.source] = self.by_target[copying.target] = copying
            self.look_again(copying)

    def look_again(self, copying: Copying) -> None:
        """Look up where the target's partition ends; what was fetched or is under way no longer counts."""
        if copying.state is not State.EXAMINED:
            copying.state = State.EXAMINED
            copying.generation += 1
            copying.flow.drop()
            self.to_examine.append(copying)
            self.again.ring()

    def fail(self, error: BaseException) -> None:
        """Stop all; the first error is the one that is told."""
        self.error = self.error or error
        self.stopping = True
        self.changed.ring()

    def ring(self) -> None:
        """Something may be to fetch or to send."""
        for bell in (*self.send_bells.values(), *self.fetch_bells.values()):
            bell.ring()
