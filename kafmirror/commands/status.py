"""`kafmirror status`: show how far each partition is behind."""

import sys

import orjson

from agentlog.event.escape import escape_controls
from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.style import choose_paint

from ..copy.group_offsets import sync_groups
from ..copy.group_result import GroupOffsetResult, describe_result, encode_group_result
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..lag.lag import Threshold, combine_lags
from ..lag.partition_status import PartitionStatus, encode_status, format_lag_time
from ..lag.read_status import read_settled_statuses
from .text import summarize, table_lines


def status(
    request: MirrorRequest, output_format: str, threshold: Threshold | None, groups: tuple[str, ...] = ()
) -> int:
    """Show the status of the copy, and return the exit code: 1 when it is over the threshold, or has a problem.

    With ``groups``, it also checks whether these groups' offsets can be set in the target.

    Raises:
        KafkaError: a cluster doesn't answer, or the source has no such topic.
    """
    with open_clusters(request) as clusters:
        statuses = clusters.loop.run(read_settled_statuses, clusters)
        group_results = clusters.loop.run(_check_groups, clusters, statuses, groups) if groups else []
    total = combine_lags([each.lag for each in statuses])
    is_exceeded = threshold is not None and threshold.is_exceeded(total)
    if output_format == "json":
        lag_fields = {"lag_records": total.records, "lag_seconds": total.seconds, "over_threshold": is_exceeded}
        partitions = [encode_status(each) for each in statuses]
        cluster_fields = {"source": request.source, "target": request.target}
        group_fields = {"groups": [encode_group_result(each) for each in group_results]}
        write_bytes([orjson.dumps({**cluster_fields, **lag_fields, "partitions": partitions, **group_fields}), b"\n"])
    else:
        write_lines([*table_lines(statuses, choose_paint(sys.stdout), get_width()), summarize(statuses)])
        if is_exceeded:
            write_lines([f"over the threshold of {threshold}: {', '.join(_list_exceeded(statuses, threshold))}"])
        write_lines(escape_controls(describe_result(each, "can be set to")) for each in group_results)
    has_problem = any(each.problem for each in statuses) or any(each.is_left_behind for each in group_results)
    return 1 if is_exceeded or has_problem else 0


async def _check_groups(
    clusters: ClusterPair, statuses: list[PartitionStatus], groups: tuple[str, ...]
) -> list[GroupOffsetResult]:
    return await sync_groups(clusters.source, clusters.target, statuses, groups, is_check=True)


def _list_exceeded(statuses: list[PartitionStatus], threshold: Threshold | None) -> list[str]:
    exceeding = (each for each in statuses if threshold is not None and threshold.is_exceeded(each.lag))
    return [f"{each.source} ({format_lag_time(each.lag)})" for each in exceeding]
