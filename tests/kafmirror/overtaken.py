"""kafmirror beside a client that creates each topic again, with one partition, as soon as kafmirror has deleted it.

A real client is too slow for that most of the time. Run it with kafmirror's own arguments.
"""

from kafmirror.commands.app import main
from kafmirror.kafka import topic_admin
from kafmirror.kafka.connection import ClusterConnection
from kafmirror.kafka.metadata import Topic

_delete = topic_admin.delete_topic


async def _delete_and_be_overtaken(connection: ClusterConnection, topic: Topic) -> None:
    await _delete(connection, topic)
    await topic_admin.create_topic(connection, topic.name, 1, {})


if __name__ == "__main__":
    topic_admin.delete_topic = _delete_and_be_overtaken
    main()
