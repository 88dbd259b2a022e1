// The axis of time: from a moment of the session to a column of the picture and back, and where its ticks stand.

const UNITS = [1, 2, 5, 10, 20, 50, 100, 200, 500].map((ms) => ms * 1_000).concat(
  [1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1_000_000),
  [1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000_000),
  [1, 2, 3, 6, 12].map((hours) => hours * 3_600_000_000),
  [1, 2, 7, 14, 30, 90, 365].map((days) => days * DAY),
);
const LENGTH = Math.max(session.ended - session.began, 1_000);

/** The span of time that the picture shows: what was asked for, or all. */
function spanShown() {
  const from = Math.max(asked.from, 0);
  const to = Math.min(asked.to, LENGTH);
  return [from, Math.max(to, from + 1_000)];
}

/** Turns moments into columns between `left` and `right`. */
function axis(left, right) {
  const [from, to] = spanShown();
  const scale = (right - left) / (to - from);
  return {
    from,
    to,
    at: (moment) => left + (moment - from) * scale,
    moment: (column) => from + (column - left) / scale,
  };
}

/** Round moments of the day, at most one for every `room` columns; and how they are said. */
function ticks({ from, to }, count) {
  const unit = UNITS.find((each) => (to - from) / each <= count) ?? UNITS.at(-1);
  const first = Math.ceil((session.began + from) / unit) * unit - session.began;
  const moments = [];
  for (let moment = first; moment <= to; moment += unit) moments.push([moment, tickText(moment, unit)]);
  return moments;
}

function tickText(moment, unit) {
  const text = stamp(moment);
  if (unit >= DAY) return text.slice(5, 10);
  if (unit >= 60_000_000) return text.slice(11, 16);
  return unit >= 1_000_000 ? text.slice(11, 19) : text.slice(14, 23);
}
