// A step opened: why, what went in, what came out, where it lies, and its events as stored.

const PIECE = 6_000; // so many characters of a value at first, and ten times as many with each click
const NAMED_FIRST = ["input", "query", "task", "text", "goal", "output", "documents", "result", "error", "alternatives"];
const NAMES = { input: "in", output: "out", alternatives: "over" };

function detailsNode(step) {
  const made = element("div", { class: "details" }, element("p", { class: "soft" }, "reading..."));
  loaded.then(() => made.replaceChildren(...parts(step)));
  return made;
}

function* parts(step) {
  const events = lines.slice(firstLine[step], firstLine[step + 1]).map(parsed);
  const event = events.at(-1);
  const payload = withMarks((wholes.has(step) ? parsed(wholes.get(step))[1] : event.payload) ?? {});
  const context = withMarks(event.context ?? {});
  yield facts(step, event);
  yield* reason(context);
  const names = Object.keys(payload);
  const first = NAMED_FIRST.filter((name) => names.includes(name));
  for (const name of [...first, ...names.filter((name) => !first.includes(name))]) {
    yield* valueNodes(NAMES[name] ?? name, payload[name], name === "error" ? "error" : "");
  }
  for (const [name, value] of Object.entries(context)) {
    if (!["reasoning", "model", "confidence", "parent_event_id"].includes(name)) yield* valueNodes(name, value);
  }
  yield asStored(step);
}

/** The line of small print: who, when, where it lies, what it follows from, its link. */
function facts(step, event) {
  const made = element("p", { class: "facts" });
  const place = event._record;
  const lies = place?.topic ? `${place.topic}[${show(place.partition)}]@${show(place.offset)}` : "";
  const said = [`step ${step + 1}`, event.agent_id, `began ${stamp(steps.began[step])}`, lies, event.event_id];
  for (const text of said.filter(Boolean)) made.append(marked(element("span"), text));
  const parent = steps.parent[step];
  if (parent >= 0) made.append(element("span", {}, "follows from ", stepLink(parent)));
  made.append(element("button", { type: "button", class: "copy", click: () => copyLink(step) }, "copy link"));
  return made;
}

function stepLink(step) {
  const text = safe(`${step + 1} ${steps.word[step]} ${steps.said[step]}`.slice(0, 80));
  return element("a", { href: `#${encodeURIComponent(steps.id[step])}` }, text);
}

function marked(into, text, made = safe) {
  write(into, text, made);
  return into;
}

function* reason(context) {
  const sure = context.confidence instanceof Written ? `confidence ${context.confidence.text}` : "";
  const behind = [typeof context.model === "string" ? context.model : "", sure].filter(Boolean).join(", ");
  if (!context.reasoning && behind) yield field("model", element("div", {}, safe(behind)));
  if (!context.reasoning) return;
  const said = pieces(element("blockquote"), asText(context.reasoning));
  yield field("because", ...said, behind ? element("p", { class: "soft" }, safe(behind)) : null);
}

/** A value under its name; of an object, each text of several lines by itself, under both names. */
function* valueNodes(name, value, kind = "") {
  if (value === null || value === "") return;
  const texts = isObject(value) ? Object.entries(value).filter(([, each]) => hasLines(each)) : [];
  const others = texts.length ? withoutThese(value, texts) : value;
  if (others) yield field(name, ...pieces(element("pre", { class: kind, tabindex: "0" }), asText(others)));
  for (const [inner, text] of texts) yield* valueNodes(`${name} ${inner}`, text, kind);
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Written);
}

function hasLines(value) {
  return typeof value === "string" && value.trim().includes("\n");
}

function withoutThese(value, texts) {
  const names = new Set(texts.map(([name]) => name));
  const others = Object.entries(value).filter(([name]) => !names.has(name));
  return others.length ? Object.fromEntries(others) : null;
}

/** A text in a box, and a button for more of it when it is long. */
function pieces(box, text) {
  const more = element("button", { type: "button", class: "more" });
  let shown = 0;
  const showMore = () => {
    const until = shown ? shown + PIECE * 10 : PIECE;
    marked(box, text.slice(shown, until), safeLines);
    shown = Math.min(until, text.length);
    more.textContent = `${counted(text.length - shown, "more character")}: show`;
    more.hidden = shown === text.length;
  };
  more.addEventListener("click", showMore);
  showMore();
  return [box, more];
}

function field(name, ...values) {
  const key = element("span", { class: "key" }, safe(name.slice(0, 80)));
  return element("div", { class: "field" }, key, element("div", {}, ...values));
}

/** A value as a person reads it: text as it is, the rest as JSON on lines of its own, numbers as they were written. */
function asText(value) {
  return typeof value === "string" ? value.replace(/\r\n/g, "\n") : show(value);
}

function show(value, lead = "") {
  if (value instanceof Written) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = lead + "  ";
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const entries = Object.entries(value);
  if (!entries.length) return open + close;
  const inside = entries.map(([name, each]) => {
    const key = Array.isArray(value) ? "" : `${JSON.stringify(name)}: `;
    return `${inner}${key}${show(each, inner)}`;
  });
  if (inside.length < 8 && inside.every((each) => each.length < 60 && !each.includes("\n"))) {
    const short = `${open}${inside.map((each) => each.trim()).join(", ")}${close}`;
    if (short.length < 70) return short;
  }
  return `${open}\n${inside.join(",\n")}\n${lead}${close}`;
}

function asStored(step) {
  const made = element("details", { class: "stored" }, element("summary", {}, "as stored"));
  made.addEventListener("toggle", () => {
    if (made.childElementCount > 1) return;
    for (const line of stored(step)) made.append(...valueNodes("", line));
    made.append(element("button", { type: "button", class: "copy", click: () => copy(stored(step).join("\n")) }, "copy"));
  });
  return made;
}

function copyLink(step) {
  nameInAddress(step);
  return copy(location.href, "link copied");
}

/** To the clipboard, where the browser lets us; else into a prompt-free selection that the user can copy. */
async function copy(text, done = "copied") {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    const box = element("textarea", { class: "off" }, text);
    document.body.append(box);
    box.select();
    say(document.execCommand("copy") ? done : "the browser doesn't let us copy");
    box.remove();
  }
}
