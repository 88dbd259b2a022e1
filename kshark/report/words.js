// Counts, spans of time, money and somebody else's text, written as the console tools write them.

const DAY = 86_400_000_000;
const STEERING =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text with what could reorder or hide it written as JSON escapes: shown, not obeyed. */
function safe(text) {
  return text.replace(STEERING, (found) => SHORT[found] ?? escapes(found));
}

/** The same, where line ends and tabs may stand as they are. */
function safeLines(text) {
  return text.replace(STEERING, (found) => (found === "\n" || found === "\t" ? found : SHORT[found] ?? escapes(found)));
}

function escapes(text) {
  let units = "";
  for (let at = 0; at < text.length; at++) units += "\\u" + text.charCodeAt(at).toString(16).padStart(4, "0");
  return units;
}

function grouped(number, digits = 0) {
  return number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function counted(number, one, many = one + "s") {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

/** A span of microseconds as a person says it: 0.21 s, 4 m 12 s, 2 h 5 m, 3 d 4 h. */
function duration(microseconds) {
  const seconds = microseconds / 1e6;
  if (seconds < 1) return seconds >= 0.01 || !microseconds ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days) return `${grouped(days)} d ${hours % 24} h`;
  return hours ? `${hours} h ${minutes % 60} m` : `${minutes} m ${Math.round(seconds) % 60} s`;
}

function dollars(amount) {
  return `$${amount >= 0.1 || !amount ? grouped(amount, 2) : amount.toFixed(4)}`;
}

function sinceStart(microseconds) {
  return microseconds < 9_999_950_000 ? `${grouped(microseconds / 1e6, 1)} s` : duration(microseconds);
}

/** A time of day in UTC, and how many days after the session's first it is. */
function clock(microseconds) {
  const days = Math.floor((session.began + microseconds) / DAY) - Math.floor(session.began / DAY);
  return stamp(microseconds).slice(11, 23) + (days ? ` +${days} d` : "");
}

function stamp(microseconds) {
  return new Date(Math.floor((session.began + microseconds) / 1000)).toISOString();
}

/** An element. What stands in it is text or elements, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);

function say(text) {
  byId("saying").textContent = text;
  clearTimeout(say.until);
  say.until = setTimeout(() => (byId("saying").textContent = ""), 2500);
}
