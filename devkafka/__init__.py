"""Real Apache Kafka on this machine, for `make kafka`, the tests and the benchmarks. It isn't distributed.

    with KafkaCluster("us-east-1", brokers=3) as cluster:
        topic = create_topic(cluster.bootstrap, partitions=6)
        produce(cluster.bootstrap, topic, [Message("sess_1", b"{}", timestamp=1_768_487_000_000)])
        cluster.brokers[0].kill()

It needs Java 17 and, the first time, Maven. The brokers and their folder end with the run, even if that is killed.
"""

from .broker import Broker
from .client import Message, create_topic, eventually, produce
from .cluster import KafkaCluster, run_clusters
from .errors import DevKafkaError, NotInstalled, NotReady
from .java import build_java_command
from .process import Process

__all__ = [
    "Broker",
    "DevKafkaError",
    "KafkaCluster",
    "Message",
    "NotInstalled",
    "NotReady",
    "Process",
    "build_java_command",
    "create_topic",
    "eventually",
    "produce",
    "run_clusters",
]
