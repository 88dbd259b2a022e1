"""The topics that a user selects for mirroring, and their names in the target."""

from typing import NamedTuple

from agentlog.errors import UsageError

from .connection import ClusterConnection


class TopicSelection(NamedTuple):
    """What the user wants to be mirrored.

    Attributes:
        patterns: names of topics, or shell patterns.
        target_topic: what a topic is called in the target; ``{source}`` and ``{topic}`` stand for names.
    """

    patterns: list[str]
    target_topic: str = "{topic}"

    def is_excluded(self, target: ClusterConnection, topic: str) -> bool:
        """Whether no pattern means ``topic``, as a mirror from ``target`` names its copies so."""
        prefix, _, suffix = self.target_topic.replace("{source}", target.name).partition("{topic}")
        return "{source}" in self.target_topic and topic.startswith(prefix) and topic.endswith(suffix)

    def make_target_name(self, source: ClusterConnection, topic: str) -> str:
        """What ``topic`` is called in the target."""
        return self.target_topic.replace("{source}", source.name).replace("{topic}", topic)


def check_target_topic(template: str) -> str:
    """``--target-topic`` as given; raises UsageError when it would make several topics one."""
    if "{topic}" not in template:
        raise UsageError(f"--target-topic {template[:60]!r} must hold {{topic}}, and may hold {{source}}")
    return template
