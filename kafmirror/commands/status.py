"""`kafmirror status`: show how far each partition is behind."""

import sys
from collections.abc import Iterator

import orjson

from agentlog.errors import KafkaError
from agentlog.event.escape import escape_controls
from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.style import choose_paint
from agentlog.terminal.text_width import wrap_text

from ..copy.group_offsets import sync_groups
from ..copy.group_result import GroupOffsetResult, describe_result, encode_group_result
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..lag.lag import UNKNOWN_LAG, Threshold, combine_lags
from ..lag.one_side import AwaySide
from ..lag.partition_status import PartitionStatus, encode_status, format_lag_time
from ..lag.read_status import read_available_statuses
from .text import summarize, table_lines


def status(
    request: MirrorRequest, output_format: str, threshold: Threshold | None, groups: tuple[str, ...] = ()
) -> int:
    """Show the status of the copy, and return the exit code: 1 when it is over the threshold, or has a problem.

    With ``groups``, it also checks whether these groups' offsets can be set in the target. If one side is away, it
    shows what the other one knows, and returns 3.

    Raises:
        KafkaError: neither cluster answers, or the source has no such topic.
    """
    with open_clusters(request) as clusters:
        statuses, away = clusters.loop.run(read_available_statuses, clusters)
        is_checking_groups = bool(groups) and away is None
        group_results = clusters.loop.run(_check_groups, clusters, statuses, groups) if is_checking_groups else []
    total = combine_lags([each.lag for each in statuses]) if away is None else UNKNOWN_LAG
    is_exceeded = threshold is not None and threshold.is_exceeded(total)
    if output_format == "json":
        lag_fields = {"lag_records": total.records, "lag_seconds": total.seconds, "over_threshold": is_exceeded}
        partitions = [encode_status(each) for each in statuses]
        cluster_fields = {"source": request.source, "target": request.target, "away": away and away._asdict()}
        group_fields = {"groups": [encode_group_result(each) for each in group_results]}
        write_bytes([orjson.dumps({**cluster_fields, **lag_fields, "partitions": partitions, **group_fields}), b"\n"])
    else:
        write_lines(_status_lines(statuses, away, threshold if is_exceeded else None))
        write_lines(escape_controls(describe_result(each, "can be set to")) for each in group_results)
    if away is not None:
        return KafkaError.exit_code
    has_problem = any(each.problem for each in statuses) or any(each.is_left_behind for each in group_results)
    return 1 if is_exceeded or has_problem else 0


async def _check_groups(
    clusters: ClusterPair, statuses: list[PartitionStatus], groups: tuple[str, ...]
) -> list[GroupOffsetResult]:
    return await sync_groups(clusters.source, clusters.target, statuses, groups, is_check=True)


def _status_lines(statuses: list[PartitionStatus], away: AwaySide | None, exceeded: Threshold | None) -> Iterator[str]:
    paint, columns = choose_paint(sys.stdout), get_width()
    if statuses or away is None:
        yield from (*table_lines(statuses, paint, columns), summarize(statuses))
    if exceeded is not None:
        yield f"over the threshold of {exceeded}: {', '.join(_list_exceeded(statuses, exceeded)) or 'unknown'}"
    if away is not None:
        yield from wrap_text(escape_controls(f"the {away.side} is away: {away.reason}"), columns)


def _list_exceeded(statuses: list[PartitionStatus], threshold: Threshold | None) -> list[str]:
    exceeding = (each for each in statuses if threshold is not None and threshold.is_exceeded(each.lag))
    return [f"{each.source} ({format_lag_time(each.lag)})" for each in exceeding]
