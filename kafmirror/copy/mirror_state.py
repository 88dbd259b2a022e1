"""The state that the parts of a running mirror share: both clusters, the copies, errors and wake-ups."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..kafka.cluster_view import ClusterView
from ..kafka.connection import UNKNOWN_TOPIC
from ..kafka.metadata import Partition
from ..kafka.network.event_loop import EventLoop, Wakeup
from .partition_copy import CopyState, PartitionCopy
from .wait_log import WaitLog


@dataclass(eq=False)
class MirrorState:
    """The state of a running mirror.

    Attributes:
        is_loss_accepted: whether to continue behind records that retention deleted before they were copied.
        copies: the copies by their partition in the source.
        copies_by_target: the copies by their partition in the target.
        error: the error that stopped the mirror, or None.
        is_stopping: whether nothing new may be fetched or sent.
        progress_wakeup: set when a batch is acknowledged, or the mirror must stop.
        resume_wakeup: set when there are copies in ``to_resume``.
        to_resume: copies whose resume point must be looked up.
        refresh_wakeup: set when the metadata of both clusters must be fetched again.
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
        """Add partitions to copy. Those that are unknown wait until they are planned."""
        for copy in copies:
            self.copies[copy.source] = self.copies_by_target[copy.target] = copy
            if copy.state is not CopyState.UNKNOWN:
                self.reexamine(copy)

    def set_unknown(self, copy: PartitionCopy, reason: str) -> None:
        """Let a copy that hasn't begun yet wait until its partition can be had."""
        copy.state, copy.unavailable = CopyState.UNKNOWN, reason
        self.to_resume.remove(copy)

    def find_leaderless(self, copy: PartitionCopy) -> ClusterView | None:
        """Return the side on which a copy's partition has no leader, or None. A topic that is gone counts as led."""
        for view, partition in ((self.source, copy.source), (self.target, copy.target)):
            topic = view.metadata.topics.get(partition.topic)
            if topic is not None and topic.error != UNKNOWN_TOPIC and view.metadata.find_leader(partition) is None:
                return view
        return None

    def reexamine(self, copy: PartitionCopy) -> None:
        """Look up again where a copy continues. Drop fetched batches, and ignore answers to those already sent."""
        if copy.state is not CopyState.EXAMINING:
            copy.state = CopyState.EXAMINING
            copy.generation += 1
            copy.buffer.clear()
            self.to_resume.append(copy)
            self.resume_wakeup.set()

    def fail(self, error: BaseException) -> None:
        """Stop the mirror with an error. Only the first error is kept."""
        self.error = self.error or error
        self.is_stopping = True
        self.progress_wakeup.set()

    def wake_workers(self) -> None:
        """Wake the fetchers and senders, because there may be something to fetch or send."""
        for wakeup in (*self.sender_wakeups.values(), *self.fetcher_wakeups.values()):
            wakeup.set()
