// The session: its columns at once, its events as they are unpacked behind the first picture.

const [session] = await unpacked("columns").next().then(({ value }) => [JSON.parse(value)]);
const steps = session.steps;
const COUNT = steps.id.length;
const lines = [];
const wholes = new Map();
const numberOf = new Map(steps.id.map((id, step) => [id, step]));
const firstLine = new Uint32Array(COUNT + 1);
const runOf = new Int32Array(COUNT).fill(-1);
for (let step = 0; step < COUNT; step++) firstLine[step + 1] = firstLine[step] + steps.lines[step];
session.runs.forEach(([first, count], run) => runOf.fill(run, first, first + count));

/** The texts of the blocks of one name, one after the other; each block is let go of once it is unpacked. */
async function* unpacked(name) {
  for (const block of document.querySelectorAll(`script.${name}`)) {
    const packed = atob(block.textContent);
    block.remove();
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at++) bytes[at] = packed.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    yield await new Response(stream).text();
    await pause();
  }
}

/** Lets the browser paint, scroll and take keys. */
function pause() {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Resolves once every event can be looked at. */
const loaded = (async () => {
  await pause();
  for await (const text of unpacked("events")) {
    for (const line of text.split("\n")) if (line) lines.push(line);
  }
  for await (const text of unpacked("wholes")) {
    for (const line of text.split("\n")) if (line) wholes.set(JSON.parse(line.slice(1, line.indexOf(","))), line);
  }
})();

/** A step's events as stored, an announcement ahead of its call. */
function stored(step) {
  return lines.slice(firstLine[step], firstLine[step + 1]).map(withoutPlace);
}

function withoutPlace(line) {
  const at = line.lastIndexOf('"_record":');
  return at < 0 ? line : `${line.slice(0, at).replace(/,\s*$/, "")}}`;
}

/** An event's fields, numbers as written; where it lies as `_record`. */
function parsed(line) {
  return JSON.parse(line, (_name, value, context) =>
    typeof value === "number" && context ? new Written(context.source) : value,
  );
}

/** A number as its recorder wrote it, which JavaScript might round. */
class Written {
  constructor(text) {
    this.text = text;
  }
}
