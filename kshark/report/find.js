// Finding: which steps hold a text, anywhere in what was recorded.

const SLICE_MS = 8;
const AROUND = 40;

/** What is looked for now, and the steps that hold it. `pattern` is null while nothing is. */
const found = { pattern: null, steps: [], has: new Set(), at: -1, searching: 0 };

function patternOf(text) {
  return text ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu") : null;
}

/** Looks through all steps, a few milliseconds at a time; calls `told` as it goes, and once more at its end. */
async function find(text, told) {
  const search = ++found.searching;
  Object.assign(found, { pattern: patternOf(text), steps: [], has: new Set(), at: -1 });
  told(!found.pattern);
  if (!found.pattern) return;
  await loaded;
  let since = performance.now();
  for (let step = 0; step < COUNT; step++) {
    if (performance.now() - since > SLICE_MS) {
      told(false);
      await pause();
      since = performance.now();
    }
    if (search !== found.searching) return;
    if (holds(step)) found.has.add(found.steps[found.steps.push(step) - 1]);
  }
  told(true);
}

function holds(step) {
  return isIn(searchable(step));
}

function isIn(text) {
  return text.search(found.pattern) >= 0;
}

/** What can be found of a step: its line in the list, and its events with their escapes read. */
function searchable(step) {
  const events = stored(step).map(readable).join(" ");
  const whole = wholes.has(step) ? readable(wholes.get(step)) : "";
  return `${steps.word[step]} ${steps.said[step]} ${events} ${whole}`;
}

function readable(line) {
  if (!line.includes("\\")) return line;
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_all, unit, short) =>
    unit ? String.fromCharCode(parseInt(unit, 16)) : { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" }[short] ?? short,
  );
}

/** Puts text into an element, what is looked for marked in it. */
function write(into, text, made = safe) {
  if (!found.pattern) return into.append(made(text));
  let at = 0;
  for (const match of text.matchAll(found.pattern)) {
    into.append(made(text.slice(at, match.index)), element("mark", {}, made(match[0])));
    at = match.index + match[0].length;
  }
  into.append(made(text.slice(at)));
}

/** Of a step that matches elsewhere than in its own line: the text around the match. */
function around(step) {
  const text = searchable(step);
  const at = text.search(found.pattern);
  const from = Math.max(at - AROUND, 0);
  return `${from ? "..." : ""}${text.slice(from, at + AROUND * 6)}`;
}
