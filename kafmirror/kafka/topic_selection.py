"""The topics that a user selects, and their names in the target."""

from typing import NamedTuple

from agentlog.errors import UsageError

from .connection import ClusterConnection


class TopicSelection(NamedTuple):
    """The topics to mirror, and their names in the target.

    Attributes:
        patterns: names of topics, or shell patterns.
        target_topic: the template of a topic's name in the target. ``{source}`` stands for the source's name, and
            ``{topic}`` for the topic's.
    """

    patterns: list[str]
    target_topic: str = "{topic}"

    def is_excluded(self, target: ClusterConnection, topic: str) -> bool:
        """Return whether patterns must skip ``topic``, because its name is that of a copy from ``target``."""
        prefix, _, suffix = self.target_topic.replace("{source}", target.name).partition("{topic}")
        return "{source}" in self.target_topic and topic.startswith(prefix) and topic.endswith(suffix)

    def make_target_name(self, source: ClusterConnection, topic: str) -> str:
        """Return the name of ``topic`` in the target."""
        return self.target_topic.replace("{source}", source.name).replace("{topic}", topic)


def check_target_topic(template: str) -> str:
    """Return the value of ``--target-topic``; raises UsageError when several topics would get the same name."""
    if "{topic}" not in template:
        raise UsageError(f"--target-topic {template[:60]!r} must contain {{topic}}, and may contain {{source}}")
    return template
