"""The forms in which a user writes times and offsets: 14:00, 'yesterday 14:00', -2h, @1200. Pure."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from ..errors import PositionError
from ..event.event import EPOCH
from ..event.position import Moment, Offset, Position

EXAMPLES = (
    "2026-01-15T14:00:00Z, '2026-01-15 14:00', 2026-01-15, 14:00, 'yesterday 14:00', now, -2h, '2h ago', "
    "1768485600 (epoch), @1200 (an offset) or @3:1200 (partition 3, offset 1200)"
)
WALL_TIME_PATTERN = re.compile(
    r"(?=.)(?:(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}|today|yesterday)(?:(?:t| (?:at )?)(?=[0-9])|$))?"
    r"(?:(?P<clock>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
    r" ?(?P<zone>z|utc|gmt|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
)
UNIT_PATTERN = r"(?:ms|w(?:eeks?)?|d(?:ays?)?|h(?:ours?)?|m(?:in(?:utes?)?)?|s(?:ec(?:onds?)?)?)"
STEPS_PATTERN = rf"(?:[0-9]{{1,12}}(?:\.[0-9]{{1,6}})? ?{UNIT_PATTERN} ?)+"
RELATIVE_PATTERN = re.compile(rf"(?:now ?)?- ?(?P<steps>{STEPS_PATTERN})|(?P<ago>{STEPS_PATTERN})ago|now")
STEP_PATTERN = re.compile(rf"([0-9.]+) ?({UNIT_PATTERN})")
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
EPOCH_PATTERN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,9})?")
EPOCH_UNITS = (("seconds", 10**8, 10**6), ("milliseconds", 10**11, 10**3), ("microseconds", 10**14, 1))
OFFSET_PATTERN = re.compile(r"@(?:(?P<partition>[0-9]{1,10}):)?(?P<offset>[0-9]{1,19})")


def parse_position(text: str, now: datetime) -> Position:
    """Parse a time or an offset that a user wrote; ``docs/settings.md`` lists the forms.

    Args:
        text: the text as written.
        now: an aware time in the user's own zone. A time without a zone is read in that zone. So it should be a
            ``ZoneInfo``, which knows daylight saving time, not the fixed offset of ``datetime.now().astimezone()``.

    Raises:
        PositionError: the text is not understood; the message gives examples.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a zone")
    normalized_text = " ".join(text[:100].split()).lower()
    try:
        for pattern, parse in PARSERS:
            if normalized_text.isascii() and len(text) <= 100 and (match := pattern.fullmatch(normalized_text)):
                return parse(match, now)
    except ValueError as error:
        raise PositionError(f"{_quote(text)} is wrong: {error}") from error
    except OverflowError as error:
        raise PositionError(f"{_quote(text)} is wrong: it lies outside the years 1970 to 9999") from error
    raise PositionError(f"{_quote(text)} is neither a time nor an offset; write {EXAMPLES}")


def check_range(start: Position | None, end: Position | None) -> None:
    """Raise ``PositionError`` if ``end`` lies before ``start``. A time and an offset can't be compared and pass."""
    match start, end:
        case Moment(), Moment() if end.time < start.time:
            raise PositionError(f"the end, {end.describe()}, lies before the beginning, {start.describe()}")
        case Offset(), Offset() if None not in (start.partition, end.partition) and start.partition != end.partition:
            raise PositionError(f"the beginning is in partition {start.partition}, the end in {end.partition}")
        case Offset(), Offset() if end.offset < start.offset:
            raise PositionError(f"the end, {end.describe()}, lies before the beginning, {start.describe()}")


def _parse_offset(match: re.Match[str], _now: datetime) -> Offset:
    partition, offset = match["partition"], int(match["offset"])
    if offset >= 2**63 or int(partition or 0) >= 2**31:
        raise ValueError("Kafka's offsets end at 2^63 - 1, its partitions at 2^31 - 1")
    return Offset(int(partition) if partition else None, offset)


def _parse_wall_time(match: re.Match[str], now: datetime) -> Moment:
    """Parse a day, a time of day, or both."""
    zone = _parse_zone(match["zone"]) or now.tzinfo or UTC
    today = now.astimezone(zone).date()
    clock = _parse_clock(match["clock"])
    if match["day"] is None:
        return _choose_latest(datetime.combine(today, clock), zone, now, match["clock"])
    if match["day"] in ("today", "yesterday"):
        day = today - timedelta(days=match["day"] == "yesterday")
        note = match[0] if match["clock"] else f"the beginning of {match[0]}"
    else:
        day = date.fromisoformat(match["day"])
        note = "" if match["clock"] else "the beginning of that day"
    return _resolve_wall_time(datetime.combine(day, clock), zone, now, note)


def _choose_latest(wall: datetime, zone: tzinfo, now: datetime, clock: str) -> Moment:
    """Return ``wall``, a time of today, or the same time of yesterday if today's is still to come."""
    moment = _resolve_wall_time(wall, zone, now, "today")
    if moment.time <= now:
        return moment
    note = f"yesterday, because {clock} today is still to come"
    return _resolve_wall_time(wall - timedelta(days=1), zone, now, note)


def _resolve_wall_time(wall: datetime, zone: tzinfo, now: datetime, note: str) -> Moment:
    """Return ``wall`` in ``zone``, with a note if the change of the clocks skips that time or repeats it."""
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    moment = first.astimezone(UTC)
    if first.utcoffset() != second.utcoffset():
        skipped = moment.astimezone(zone).replace(tzinfo=None) != wall
        clock = wall.time().isoformat()
        twice = f"{clock} came twice that day, this is the first; the second is {second.isoformat()}"
        clock_change = f"the clocks skipped {clock} that day" if skipped else twice
        note = f"{note}; {clock_change}" if note else clock_change
    return _make_moment(moment, now, note)


def _parse_relative(match: re.Match[str], now: datetime) -> Moment:
    """Parse ``now``, or a duration before now; a day is 24 hours."""
    steps = STEP_PATTERN.findall(match["steps"] or match["ago"] or "")
    milliseconds = sum(Decimal(number) * MILLISECONDS["ms" if unit == "ms" else unit[0]] for number, unit in steps)
    return _make_moment(now.astimezone(UTC) - timedelta(microseconds=int(milliseconds * 1000)), now, match[0])


def _parse_epoch(match: re.Match[str], now: datetime) -> Moment:
    """Parse seconds, milliseconds or microseconds since 1970. Their magnitude tells the unit."""
    number = Decimal(match[0])
    for unit, least, scale in EPOCH_UNITS:
        if least <= number < least * 1000:
            return _make_moment(EPOCH + timedelta(microseconds=int(number * scale)), now, f"epoch {unit}")
    size = "small" if number < 10**8 else "large"
    raise ValueError(f"too {size} for epoch seconds (10 digits) or milliseconds (13); an offset is written @{match[0]}")


PARSERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Position]], ...] = (
    (OFFSET_PATTERN, _parse_offset),
    (WALL_TIME_PATTERN, _parse_wall_time),
    (RELATIVE_PATTERN, _parse_relative),
    (EPOCH_PATTERN, _parse_epoch),
)


def _make_moment(time: datetime, now: datetime, note: str) -> Moment:
    if time < EPOCH:
        raise ValueError("Kafka's timestamps begin with 1970")
    moment = Moment(time, now.tzinfo or UTC, note)
    moment.describe()  # raises here, not later, where the local time lies beyond the year 9999
    return moment


def _parse_clock(text: str | None) -> time:
    if text is None:
        return time()
    return time.fromisoformat(f"0{text}" if text[1] == ":" else text)


def _parse_zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    return UTC if text[0] in "zug" else time.fromisoformat(f"00:00{text}").tzinfo


def _quote(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
