// The list: only the rows in sight, and a screen above and below, are elements of the page.

const list = {
  node: byId("list"),
  window: byId("window"),
  height: 28, // of a closed row, as the style sheet says
  open: new Set(), // steps whose details are shown
  extra: new Map(), // how much higher than a closed row an open one is
  tall: [], // open rows by their place: [place, extra]
  shown: new Map(), // row -> its element
  current: 0,
  whole: false, // all rows are elements: for paper
};
const MOST_PRINTED = 2_000;
const DEEPEST = 8;

const measuring = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const extra = target.offsetHeight - list.height;
    if (target.isConnected && extra >= 0) list.extra.set(target.row, extra);
  }
  layHeights();
});

/** Lays the rows anew: after a filter, a search, a fold. */
function layList() {
  layRows();
  if (!placeOf.has(list.current)) list.current = rows[0] ?? 0;
  forgetRows();
  layHeights();
}

function forgetRows() {
  const focused = list.window.contains(document.activeElement);
  for (const node of list.shown.values()) measuring.unobserve(node);
  list.shown.clear();
  list.window.replaceChildren();
  draw();
  if (focused) focusCurrent();
}

function layHeights() {
  list.height = parseFloat(getComputedStyle(list.node).getPropertyValue("--row"));
  list.tall = [...list.open]
    .filter((step) => placeOf.has(step))
    .map((step) => [placeOf.get(step), list.extra.get(step) ?? 0])
    .sort(([a], [b]) => a - b);
  list.node.style.setProperty("--digits", `${COUNT}`.length);
  list.node.style.height = list.whole ? "auto" : `${topOf(rows.length)}px`;
  draw();
}

/** How far below the list's top a place begins. */
function topOf(place) {
  let top = place * list.height;
  for (const [open, extra] of list.tall) if (open < place) top += extra;
  return top;
}

function placeAt(y) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (topOf(middle + 1) <= y) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Makes elements of the rows in sight, and only of them; those that stay are left alone. */
function draw() {
  const above = -list.node.getBoundingClientRect().top;
  const first = list.whole ? 0 : placeAt(above - innerHeight);
  const end = list.whole ? Math.min(rows.length, MOST_PRINTED) : Math.min(placeAt(above + 2 * innerHeight) + 1, rows.length);
  const sight = rows.slice(first, end);
  const kept = new Set(sight);
  for (const [row, node] of list.shown) if (!kept.has(row)) dropRow(row, node);
  let at = list.window.firstChild;
  sight.forEach((row, number) => {
    const node = list.shown.get(row);
    if (node) at = node.nextSibling;
    else list.window.insertBefore(newRow(row, first + number), at);
  });
  list.window.style.transform = list.whole ? "" : `translateY(${topOf(first)}px)`;
}

function dropRow(row, node) {
  measuring.unobserve(node);
  list.shown.delete(row);
  node.remove();
}

function newRow(row, place) {
  const node = row < 0 ? runNode(~row) : stepNode(row);
  node.row = row;
  node.setAttribute("aria-posinset", place + 1);
  node.setAttribute("aria-setsize", rows.length);
  list.shown.set(row, node);
  if (list.open.has(row)) measuring.observe(node);
  return node;
}

function stepNode(step) {
  const lane = session.lanes[steps.lane[step]];
  const other = steps.agent[step] !== lane.agent && steps.agent[step] !== "user" ? `(${steps.agent[step]}) ` : "";
  const text = element("span", { class: "text" });
  write(text, other + steps.said[step]);
  text.append(...beside(step));
  const line = lineNode(step, [
    element("span", { class: "number" }, `${step + 1}`),
    element("span", { class: "clock" }, clock(steps.began[step])),
    element("span", { class: "since" }, sinceStart(steps.began[step])),
    bars(lane.depth),
    element("span", { class: "word" }, steps.word[step]),
    text,
    element("span", { class: "took" }, steps.took[step] ? duration(steps.took[step]) : ""),
    element("span", { class: "cost" }, steps.cost[step] === null ? "" : dollars(steps.cost[step])),
  ]);
  const open = list.open.has(step);
  line.setAttribute("aria-expanded", open);
  const kinds = `row ${kindOf(step)}${steps.bad[step] ? " bad" : ""}${found.has.has(step) ? " hit" : ""}`;
  return element("div", { role: "listitem", class: kinds }, line, open ? detailsNode(step) : null);
}

/** What stands beside a step's own words; of one that matches elsewhere, the text around the match. */
function beside(step) {
  if (found.has.has(step) && !isIn(steps.said[step]) && !isIn(steps.beside[step]?.[1] ?? "")) {
    const text = element("span", { class: "beside match" });
    write(text, around(step));
    return [" ", text];
  }
  if (!steps.beside[step]) return [];
  const [key, said] = steps.beside[step];
  const text = element("span", { class: `beside ${key}` });
  write(text, said);
  return [" ", text];
}

function runNode(run) {
  const [first, count, said] = session.runs[run];
  const members = inRun(run);
  const hits = members.filter((step) => found.has.has(step)).length;
  const some = members.length < count ? ` (${counted(members.length, "of them", "of them")} here)` : "";
  const line = lineNode(~run, [
    element("span", { class: "number" }),
    element("span", { class: "clock" }, clock(steps.began[first])),
    element("span", { class: "since" }, sinceStart(steps.began[first])),
    bars(session.lanes[steps.lane[first]].depth),
    element("span", { class: "word" }, `x${grouped(count)}`),
    element("span", { class: "text" }, said + some),
    element("span", { class: "cost" }, hits ? counted(hits, "match", "matches") : ""),
  ]);
  line.setAttribute("aria-expanded", unfolded.has(run));
  return element("div", { role: "listitem", class: `row run${steps.bad[first] ? " bad" : ""}${hits ? " hit" : ""}` }, line);
}

function lineNode(row, parts) {
  const line = element("button", { type: "button", class: "line", tabindex: row === list.current ? "0" : "-1" }, ...parts);
  if (row === list.current) line.classList.add("current");
  line.addEventListener("click", () => {
    setCurrent(row);
    toggle(row);
  });
  return line;
}

function bars(depth) {
  const made = element("span", { class: "bars", "aria-hidden": "true" });
  made.style.width = `${Math.min(depth, DEEPEST) * 14}px`;
  return made;
}

/** Opens or closes a step, or a row of like calls. */
function toggle(row) {
  if (row < 0) {
    if (!unfolded.delete(~row)) unfolded.add(~row);
    layList();
    focusCurrent();
    return;
  }
  if (!list.open.delete(row)) list.open.add(row);
  rowAnew(row);
  layHeights();
  if (list.open.has(row)) nameInAddress(row);
}

function rowAnew(row) {
  const node = list.shown.get(row);
  if (!node) return;
  const focused = node.contains(document.activeElement);
  dropRow(row, node);
  draw();
  if (focused) focusCurrent();
}

function nameInAddress(step) {
  history.replaceState(null, "", `#${encodeURIComponent(steps.id[step])}`);
}

function setCurrent(row) {
  for (const each of [list.current, row]) {
    const line = list.shown.get(each)?.firstChild;
    line?.classList.toggle("current", each === row);
    line?.setAttribute("tabindex", each === row ? "0" : "-1");
  }
  list.current = row;
}

function focusCurrent() {
  list.shown.get(list.current)?.firstChild.focus({ preventScroll: true });
}

/** Brings a row into sight, a third of the way down when it wasn't. */
function reveal(row) {
  const place = placeOf.get(row);
  const top = list.node.getBoundingClientRect().top + topOf(place);
  const bar = byId("bar").offsetHeight;
  if (top < bar + 4 || top > innerHeight - list.height * 2) scrollBy({ top: top - Math.max(bar + 8, innerHeight / 3) });
  draw();
}

/** Shows a step, whatever hides it, and opens it. */
function goTo(step, open = true) {
  if (!wanted(step)) {
    showAll();
    changed();
  }
  const run = runOf[step];
  if (run >= 0 && !asked.matches && !unfolded.has(run)) {
    unfolded.add(run);
    layList();
  }
  if (open && !list.open.has(step)) {
    list.open.add(step);
    rowAnew(step);
    layHeights();
  }
  setCurrent(step);
  reveal(step);
  focusCurrent();
}

/** The row so many places further down, or up. */
function move(by) {
  const place = Math.min(Math.max((placeOf.get(list.current) ?? 0) + by, 0), rows.length - 1);
  if (!rows.length) return;
  setCurrent(rows[place]);
  reveal(rows[place]);
  focusCurrent();
}
