"""What keeps `failback` from deleting a topic and creating it again, found before anything is changed."""

from agentlog.errors import AgentlogError

from ..kafka import topic_admin
from ..kafka.connection import ClusterConnection
from ..kafka.metadata import BATCH_LIMIT
from ..plan.plan import ALTER_CONFIGS, DELETE


async def find_obstacles(connection: ClusterConnection, topic: str) -> list[str]:
    """Return the reasons why a topic can't be deleted and created again, a sentence each.

    Raises:
        KafkaUnavailable, KafkaRefused: the cluster doesn't answer.
    """
    name = connection.name
    if await topic_admin.is_deletion_disabled(connection):
        return [
            f"cluster {name} lets nobody delete topics (delete.topic.enable=false), and Kafka can't cut the end of a "
            f"log. Set delete.topic.enable=true there, or give the topic another name in {name} with --target-topic "
            "of replicate"
        ]
    rights = await topic_admin.fetch_rights(connection, topic)
    lacking = [
        right
        for operation, right in ((DELETE, "DELETE"), (ALTER_CONFIGS, "ALTER_CONFIGS"))
        if rights is not None and operation not in rights
    ]
    if lacking:
        return [f"topic {topic} in cluster {name}: we lack the right {' and '.join(lacking)}"]
    return [
        f"cluster {name} doesn't let us {action}: {error}"
        for action, error in (
            ("refuse other writers", await _try_to_block(connection, topic)),
            ("create topics", await _try_to_create(connection, topic)),
        )
        if error
    ]


async def _try_to_block(connection: ClusterConnection, topic: str) -> AgentlogError | None:
    """Return the error of setting the limit that refuses all writers, without setting it."""
    try:
        await topic_admin.alter_settings(connection, topic, {BATCH_LIMIT: "0"}, is_dry_run=True)
    except AgentlogError as error:
        return error
    return None


async def _try_to_create(connection: ClusterConnection, topic: str) -> AgentlogError | None:
    """Return the error of creating the topic, which exists still. Rights are looked at first."""
    try:
        await topic_admin.create_topic(connection, topic, 1, {}, is_dry_run=True)
    except AgentlogError as error:
        return error
    return None
