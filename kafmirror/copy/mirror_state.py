"""What the parts of a running mirror share: both sides, the copies, what went wrong, and bells to ring."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..kafka.cluster_view import ClusterView
from ..kafka.event_loop import EventLoop, Wakeup
from ..kafka.metadata import Partition
from .partition_copy import CopyState, PartitionCopy
from .wait_log import WaitLog


@dataclass(eq=False)
class MirrorState:
    """A running mirror.

    Attributes:
        copies, by_target: its partitions, by their source and by their target.
        error: what stopped it.
        is_stopping: whether nothing new is to be fetched or sent.
        progress_wakeup: rung when something is acknowledged, or stops it.
        resume_wakeup: partitions whose place must be looked up again.
        refresh_wakeup: rung when the leaders of either side must be asked for anew.
    """

    loop: EventLoop
    source: ClusterView
    target: ClusterView
    is_loss_accepted: bool = False
    waits: WaitLog = field(default_factory=WaitLog)
    copies: dict[Partition, PartitionCopy] = field(default_factory=dict)
    copies_by_target: dict[Partition, PartitionCopy] = field(default_factory=dict)
    error: BaseException | None = None
    is_stopping: bool = False
    losses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.progress_wakeup, self.refresh_wakeup, self.resume_wakeup = (
            Wakeup(self.loop),
            Wakeup(self.loop),
            Wakeup(self.loop),
        )
        self.to_resume: list[PartitionCopy] = []
        self.sender_wakeups: dict[int, Wakeup] = {}
        self.fetcher_wakeups: dict[int, Wakeup] = {}

    def add(self, copies: Iterable[PartitionCopy]) -> None:
        """Take up further partitions."""
        for copy in copies:
            self.copies[copy.source] = self.copies_by_target[copy.target] = copy
            self.reexamine(copy)

    def reexamine(self, copy: PartitionCopy) -> None:
        """Look up where the target's partition ends; what was fetched or is under way no longer counts."""
        if copy.state is not CopyState.EXAMINING:
            copy.state = CopyState.EXAMINING
            copy.generation += 1
            copy.buffer.clear()
            self.to_resume.append(copy)
            self.resume_wakeup.set()

    def fail(self, error: BaseException) -> None:
        """Stop all; the first error is the one that is told."""
        self.error = self.error or error
        self.is_stopping = True
        self.progress_wakeup.set()

    def wake_workers(self) -> None:
        """Something may be to fetch or to send."""
        for wakeup in (*self.sender_wakeups.values(), *self.fetcher_wakeups.values()):
            wakeup.set()
