"""`kafmirror status`: where the copy stands, asked of both clusters and shown."""

import sys

import orjson

from agentlog.terminal.output import columns, paint_for, write, write_bytes

from ..kafka.cluster_pair import Named, opened
from ..lag.lag import Threshold, worst
from ..lag.partition_status import Standing, as_json, seconds_text
from ..lag.read_status import standings
from .text import summary, table_lines


def status(named: Named, shape: str, threshold: Threshold | None) -> int:
    """Show where the copy stands; the exit code: 1 when it is over the threshold, or can't go on.

    Raises:
        KafkaError: a side doesn't answer, or has no such topic.
    """
    with opened(named) as sides:
        found = sides.loop.run(standings, sides)
    total = worst([each.lag for each in found])
    exceeded = threshold is not None and threshold.is_exceeded(total)
    if shape == "json":
        said = {"lag_records": total.records, "lag_seconds": total.seconds, "over_threshold": exceeded}
        partitions = [as_json(each) for each in found]
        about = {"source": named.source, "target": named.target}
        write_bytes([orjson.dumps({**about, **said, "partitions": partitions}), b"\n"])
    else:
        write([*table_lines(found, paint_for(sys.stdout), columns()), summary(found)])
        if exceeded:
            write([f"over the threshold of {threshold}: {', '.join(_over(found, threshold))}"])
    return 1 if exceeded or any(each.problem for each in found) else 0


def _over(found: list[Standing], threshold: Threshold | None) -> list[str]:
    over = (each for each in found if threshold is not None and threshold.is_exceeded(each.lag))
    return [f"{each.source} ({seconds_text(each.lag)})" for each in over]
