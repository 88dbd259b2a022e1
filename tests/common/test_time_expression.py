"""The forms of times and offsets, and how they are shown."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentlog.errors import PositionError
from agentlog.event.position import Moment, Offset, Position
from agentlog.settings.time_expression import check_range, parse_position

BERLIN = ZoneInfo("Europe/Berlin")
utc = partial(datetime, tzinfo=UTC)
NOW = datetime(2026, 1, 16, 13, 30, tzinfo=BERLIN)


def time_of(text: str, now: datetime = NOW) -> datetime:
    position = parse_position(text, now)
    assert isinstance(position, Moment)
    return position.time


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("2026-01-15T14:00:00Z", utc(2026, 1, 15, 14)),
        ("2026-01-15t14:00z", utc(2026, 1, 15, 14)),
        ("2026-01-15 14:00 UTC", utc(2026, 1, 15, 14)),
        ("2026-01-15T14:00:00+05:30", utc(2026, 1, 15, 8, 30)),
        ("2026-01-15T14:00:00-0800", utc(2026, 1, 15, 22)),
        ("2026-01-15T14:00:05.250Z", utc(2026, 1, 15, 14, 0, 5, 250_000)),
        ("2026-01-15T14:00:05,123456789Z", utc(2026, 1, 15, 14, 0, 5, 123_456)),
        ("2026-01-15 14:00", utc(2026, 1, 15, 13)),
        ("2026-07-15 14:00", utc(2026, 7, 15, 12)),
        ("2026-01-15", utc(2026, 1, 14, 23)),
        ("13:00", utc(2026, 1, 16, 12)),
        ("9:05", utc(2026, 1, 16, 8, 5)),
        ("13:30", utc(2026, 1, 16, 12, 30)),
        ("14:00", utc(2026, 1, 15, 13)),
        ("14:00:05.250", utc(2026, 1, 15, 13, 0, 5, 250_000)),
        ("12:00Z", utc(2026, 1, 16, 12)),
        ("13:00Z", utc(2026, 1, 15, 13)),
        ("today", utc(2026, 1, 15, 23)),
        ("today 14:00", utc(2026, 1, 16, 13)),
        ("Yesterday at 14:00", utc(2026, 1, 15, 13)),
        ("yesterday", utc(2026, 1, 14, 23)),
        ("now", utc(2026, 1, 16, 12, 30)),
        ("-2h", utc(2026, 1, 16, 10, 30)),
        ("now-2h", utc(2026, 1, 16, 10, 30)),
        ("-90m", utc(2026, 1, 16, 11)),
        ("-1d12h", utc(2026, 1, 15, 0, 30)),
        ("-30s", utc(2026, 1, 16, 12, 29, 30)),
        ("-250ms", utc(2026, 1, 16, 12, 29, 59, 750_000)),
        ("-1.5h", utc(2026, 1, 16, 11)),
        ("-1w", utc(2026, 1, 9, 12, 30)),
        ("2h ago", utc(2026, 1, 16, 10, 30)),
        ("1 hour 30 minutes ago", utc(2026, 1, 16, 11)),
        ("1768485600", utc(2026, 1, 15, 14)),
        ("1768485600.847", utc(2026, 1, 15, 14, 0, 0, 847_000)),
        ("1768485600847", utc(2026, 1, 15, 14, 0, 0, 847_000)),
        ("1768485600847.5", utc(2026, 1, 15, 14, 0, 0, 847_500)),
        ("1768485600847123", utc(2026, 1, 15, 14, 0, 0, 847_123)),
        ("  yesterday   14:00 ", utc(2026, 1, 15, 13)),
    ],
)
def test_a_time_may_be_written_as(text: str, understood: datetime) -> None:
    assert time_of(text) == understood


@pytest.mark.parametrize(
    ("text", "place"), [("@0", Offset(None, 0)), ("@1200", Offset(None, 1200)), ("@3:1200", Offset(3, 1200))]
)
def test_an_offset_may_be_written_as(text: str, place: Offset) -> None:
    assert parse_position(text, NOW) == place


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-15T14:00:00Z", "2026-01-15 14:00:00 UTC (2026-01-15 15:00:00+01:00 in Europe/Berlin)"),
        (
            "yesterday 14:00",
            "2026-01-15 13:00:00 UTC (yesterday 14:00; 2026-01-15 14:00:00+01:00 in Europe/Berlin)",
        ),
        ("13:00", "2026-01-16 12:00:00 UTC (today; 2026-01-16 13:00:00+01:00 in Europe/Berlin)"),
        (
            "14:00",
            "2026-01-15 13:00:00 UTC (yesterday, because 14:00 today is still to come; "
            "2026-01-15 14:00:00+01:00 in Europe/Berlin)",
        ),
        (
            "1768485600.847",
            "2026-01-15 14:00:00.847 UTC (epoch seconds; 2026-01-15 15:00:00.847+01:00 in Europe/Berlin)",
        ),
        ("@1200", "offset 1200 of every partition searched"),
        ("@3:1200", "offset 1200 of partition 3"),
    ],
)
def test_a_position_is_shown_as_it_was_understood(text: str, shown: str) -> None:
    assert parse_position(text, NOW).describe() == shown


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "2026-01-15 14:00:00 UTC"),
        (ZoneInfo("Europe/London"), "2026-01-15 14:00:00 UTC"),
        (timezone(timedelta(hours=1)), "2026-01-15 14:00:00 UTC (2026-01-15 15:00:00+01:00)"),
        (timezone(timedelta(hours=1), "CET"), "2026-01-15 14:00:00 UTC (2026-01-15 15:00:00+01:00 in CET)"),
    ],
)
def test_the_local_time_is_shown_where_it_differs_from_utc(zone: timezone, shown: str) -> None:
    assert parse_position("2026-01-15T14:00:00Z", NOW.astimezone(zone)).describe() == shown


def test_a_time_that_the_clocks_skipped_is_moved_forward_and_said_so() -> None:
    assert time_of("2026-03-29 02:30") == utc(2026, 3, 29, 1, 30)
    assert parse_position("2026-03-29 02:30", NOW).describe() == (
        "2026-03-29 01:30:00 UTC (the clocks skipped 02:30:00 that day; 2026-03-29 03:30:00+02:00 in Europe/Berlin)"
    )


def test_a_time_that_came_twice_is_the_first_and_the_second_is_named_as_it_can_be_written() -> None:
    shown = parse_position("2025-10-26 02:30", NOW).describe()
    assert shown.startswith("2025-10-26 00:30:00 UTC (02:30:00 came twice that day, this is the first; ")
    assert "the second is 2025-10-26T02:30:00+01:00;" in shown
    assert time_of("2025-10-26T02:30:00+01:00") == utc(2025, 10, 26, 1, 30)


def test_a_span_of_time_goes_back_by_the_clock_of_the_world_not_by_that_of_the_wall() -> None:
    after_the_change = datetime(2026, 3, 29, 4, 0, tzinfo=BERLIN)
    assert time_of("-2h", after_the_change) == utc(2026, 3, 29, 0)
    assert time_of("-1d", after_the_change) == utc(2026, 3, 28, 2)
    assert time_of("yesterday 04:00", after_the_change) == utc(2026, 3, 28, 3)


def test_in_the_hour_that_comes_twice_a_bare_time_is_still_the_most_recent_past_one() -> None:
    second_half_past_two = datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1)
    assert time_of("02:45", second_half_past_two) == utc(2025, 10, 26, 0, 45)
    assert time_of("-30m", second_half_past_two) == utc(2025, 10, 26, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow", "neither a time nor an offset; write 2026-01-15T14:00:00Z"),
        ("", "neither a time nor an offset"),
        ("-5", "neither a time nor an offset"),
        ("2026-01-15-02:00", "neither a time nor an offset"),
        ("today14:00", "neither a time nor an offset"),
        ("2026-01-15T14:00+99:00", "neither a time nor an offset"),
        ("\u0661\u0664:\u0660\u0660", "neither a time nor an offset"),
        ("@-1", "neither a time nor an offset"),
        ("@3:", "neither a time nor an offset"),
        ("25:00", "hour must be in 0..23"),
        ("2026-02-30", "day is out of range for month"),
        ("0000-01-01", "year 0 is out of range"),
        ("1969-12-31T23:59:59Z", "Kafka's timestamps begin with 1970"),
        ("9999-12-31T23:59Z", "outside the years 1970 to 9999"),
        ("-999999999999w", "outside the years 1970 to 9999"),
        ("-3000w", "Kafka's timestamps begin with 1970"),
        ("1200", "too small for epoch seconds .* an offset is written @1200"),
        ("99999999999999999999", "too large for epoch seconds"),
        ("@9223372036854775808", "offsets end at"),
        ("@2147483648:0", "partitions at"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(PositionError, match=why):
        parse_position(text, NOW)


def test_a_refusal_shows_a_long_or_dangerous_text_short_and_escaped() -> None:
    with pytest.raises(PositionError) as refused:
        parse_position("\x1b[31m" + "x" * 5000, NOW)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_now_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_position("now", datetime(2026, 1, 16))


moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.timezones() | st.just(UTC))


@given(moments, st.timezones(), st.sampled_from("T "))
def test_an_iso_time_with_its_offset_is_understood_to_the_microsecond(
    moment: datetime, zone: ZoneInfo, gap: str
) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    moment -= offset % timedelta(minutes=1)
    offset -= offset % timedelta(minutes=1)
    text = moment.replace(tzinfo=timezone(offset)).isoformat(gap)
    assert time_of(text, NOW.astimezone(zone)) == datetime.fromisoformat(text).astimezone(UTC)


@given(moments, st.timezones())
def test_the_utc_time_that_is_shown_can_be_written_back(moment: datetime, zone: ZoneInfo) -> None:
    understood = Moment(moment.astimezone(UTC), zone)
    shown = understood.describe().partition(" (")[0]
    assert parse_position(shown, NOW) == understood


@given(moments)
def test_a_moments_milliseconds_are_those_of_kafka_and_never_later_than_it(moment: datetime) -> None:
    understood = Moment(moment.astimezone(UTC))
    assert 0 <= understood.microseconds - understood.timestamp_ms * 1000 < 1000
    assert datetime.fromtimestamp(0, UTC) + timedelta(microseconds=understood.microseconds) == understood.time


@given(st.times(), moments)
def test_a_bare_time_is_never_in_the_future_and_at_most_a_long_day_ago(clock: datetime, now: datetime) -> None:
    ago = now.astimezone(UTC) - time_of(clock.isoformat(), now)
    assert timedelta(0) <= ago <= timedelta(days=2)


days = ["today", "yesterday", "now", "2026-01-15", "0000-00-00", "9999-12-31"]
clocks = ["14:00", "24:60", "T", "Z", "+01", "ago", "at"]
signs = ["-", "@", ":", ".", " ", "h", "ms", "d", "weeks", "0", "12", "9" * 19, "9" * 5000]
pieces = st.sampled_from([*days, *clocks, *signs, "\0", "\u0663", "\u2028", "\u017f", "\u212a"])


@given(st.text() | st.lists(pieces, max_size=8).map("".join), moments)
@example("9" * 100_000, NOW)
@example("00:00", datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=14))))
@example("now", datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))))
@example("23:59", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-12))))
def test_no_text_raises_anything_but_a_position_error(text: str, now: datetime) -> None:
    with suppress(PositionError):
        assert parse_position(text, now).describe()


EARLY, LATE = Moment(utc(2026, 1, 15, 13)), Moment(utc(2026, 1, 15, 14))


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (LATE, EARLY, r"the end, 2026-01-15 13:00:00 UTC, lies before the beginning, 2026-01-15 14:00:00 UTC"),
        (Offset(None, 9), Offset(None, 8), "the end, offset 8 of every partition searched, lies before"),
        (Offset(3, 9), Offset(3, 8), "lies before"),
        (Offset(None, 9), Offset(3, 8), "lies before"),
        (Offset(3, 8), Offset(4, 9), "the beginning is in partition 3, the end in 4"),
    ],
)
def test_a_range_whose_end_lies_before_its_beginning_is_refused(start: Position, end: Position, why: str) -> None:
    with pytest.raises(PositionError, match=why):
        check_range(start, end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        (None, EARLY),
        (LATE, None),
        (EARLY, LATE),
        (EARLY, EARLY),
        (Offset(3, 8), Offset(3, 9)),
        (Offset(None, 8), Offset(3, 8)),
        (LATE, Offset(None, 0)),
    ],
)
def test_any_other_range_passes(start: Position | None, end: Position | None) -> None:
    check_range(start, end)
