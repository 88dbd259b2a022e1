"""A quota for a client id, set in a process of its own, because neither confluent_kafka nor the tests know how.

Run `python -m tests.kafmirror.set_quota SOURCE TARGET CLUSTER CLIENT_ID NAME VALUE`; the value 0 removes it.
"""

import sys

from kafka.protocol.admin import AlterClientQuotasRequest

from kafmirror.kafka.cluster_pair import MirrorRequest, open_clusters
from kafmirror.kafka.connection import ClusterConnection


async def set_quota(connection: ClusterConnection, client_id: str, name: str, value: int) -> None:
    """Set a quota for all clients with this id."""
    entry_type = AlterClientQuotasRequest.EntryData
    entry = entry_type(
        entity=[entry_type.EntityData(entity_type="client-id", entity_name=client_id)],
        ops=[entry_type.OpData(key=name, value=value, remove=not value)],
    )
    await connection.connect()
    [answer] = (await connection.send(AlterClientQuotasRequest(entries=[entry], validate_only=False))).entries
    if answer.error_code:
        sys.exit(f"the quota wasn't set: {answer}")


if __name__ == "__main__":
    source, target, cluster, client_id, name, value = sys.argv[1:]
    with open_clusters(MirrorRequest(source, target)) as clusters:
        connection = clusters.source if cluster == source else clusters.target
        clusters.loop.run(set_quota, connection, client_id, name, int(value))
