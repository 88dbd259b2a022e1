// The tables: how long each tool and model took, and where the money went, of the steps that are shown.

const MOST_ROWS = 12;

function layTables() {
  const calls = new Map();
  for (let step = 0; step < COUNT; step++) {
    if (!steps.call[step] || !wanted(step)) continue;
    const own = calls.get(steps.label[step]) ?? calls.set(steps.label[step], []).get(steps.label[step]);
    own.push(step);
  }
  byId("tables").replaceChildren(...latencyTable(calls), ...costTable());
}

function summary([label, own]) {
  const took = own.filter((step) => steps.took[step] !== null).sort((a, b) => steps.took[a] - steps.took[b]);
  const rank = (share) => took[Math.max(Math.ceil(took.length * share) - 1, 0)];
  const times = { least: took[0], half: rank(0.5), most: rank(0.95), longest: took.at(-1) };
  const total = took.reduce((sum, step) => sum + steps.took[step], 0);
  return { label, calls: own.length, errors: own.filter((step) => steps.bad[step]).length, total, ...times };
}

function* latencyTable(calls) {
  if (!calls.size) return;
  const found = [...calls].map(summary).sort((a, b) => b.total - a.total);
  const scale = { from: extreme(Math.min, found, "least"), to: extreme(Math.max, found, "longest") };
  const known = Number.isFinite(scale.from);
  const ends = element("span", { class: "ends" }, ...(known ? [scale.from, scale.to] : []).map((end) => element("span", {}, duration(end))));
  const head = ["tool or model", "calls", "errors", "median", "95 %", "longest", "together", ends];
  const body = found.slice(0, MOST_ROWS).map((each) => [
    filterLink(each.label),
    grouped(each.calls),
    each.errors ? element("span", { class: "wrong" }, grouped(each.errors)) : "",
    timeOf(each.half),
    timeOf(each.most),
    each.longest === undefined ? "" : linkTo(each.longest, timeOf(each.longest)),
    each.longest === undefined ? "" : duration(each.total),
    strip(each, scale),
  ]);
  yield tableOf("latency", "How long calls took", head, body, found.length - MOST_ROWS);
}

function timeOf(step) {
  return step === undefined ? "" : duration(steps.took[step]);
}

function extreme(choose, found, name) {
  return choose(...found.filter((each) => each[name] !== undefined).map((each) => Math.max(steps.took[each[name]], 1_000)));
}

/** From the shortest to the longest call on a logarithmic scale; from the median to 95 % thick. */
function strip({ least, half, most, longest }, { from, to }) {
  const made = element("span", { class: "strip", "aria-hidden": "true" });
  if (longest === undefined || from === to) return made;
  const at = (step) => (Math.log(Math.max(steps.took[step], 1_000) / from) / Math.log(to / from)) * 100;
  for (const [kind, left, right] of [["range", least, longest], ["most", half, most], ["half", half, half]]) {
    const part = element("i", { class: kind });
    part.style.left = `${at(left)}%`;
    part.style.width = `${at(right) - at(left)}%`;
    made.append(part);
  }
  return made;
}

function* costTable() {
  const paid = spending.filter(({ step }) => wanted(step)).map(({ step }) => step);
  if (!paid.length) return;
  const sum = paid.reduce((all, step) => all + steps.cost[step], 0);
  const share = (amount) => `${((amount / sum) * 100).toFixed(amount / sum < 0.01 ? 1 : 0)} %`;
  const byLabel = new Map();
  for (const step of paid) byLabel.set(steps.label[step], (byLabel.get(steps.label[step]) ?? 0) + steps.cost[step]);
  const models = [...byLabel].sort(([, a], [, b]) => b - a);
  const rows = models.slice(0, MOST_ROWS).map(([label, cost]) => [filterLink(label), dollars(cost), share(cost), bar(cost / sum)]);
  yield tableOf("models", "Where the money went", ["model or tool", "cost", "share", ""], rows, models.length - MOST_ROWS);
  const dearest = [...paid].sort((a, b) => steps.cost[b] - steps.cost[a]);
  const calls = dearest.slice(0, 5).map((step) => [
    linkTo(step, clock(steps.began[step])), steps.label[step], dollars(steps.cost[step]), share(steps.cost[step]), bar(steps.cost[step] / sum),
  ]);
  yield tableOf("dearest", "The dearest calls", ["when", "call", "cost", "share", ""], calls, dearest.length - 5);
}

function bar(share) {
  const made = element("i", { class: "most" });
  made.style.width = `${share * 100}%`;
  return element("span", { class: "strip", "aria-hidden": "true" }, made);
}

function tableOf(id, title, head, body, more) {
  const row = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
  const rest = more > 0 ? element("p", { class: "soft" }, `${grouped(more)} more`) : null;
  const table = element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, ...body.map((cells) => row("td", cells))));
  return element("section", { id, class: "table" }, element("h2", {}, title), table, rest);
}

function linkTo(step, text) {
  return element("a", { href: `#${encodeURIComponent(steps.id[step])}` }, text);
}

function filterLink(label) {
  const pressed = asked.label === label;
  const press = () => {
    asked.label = pressed ? "" : label;
    changed();
  };
  return element("button", { type: "button", class: "label", "aria-pressed": pressed, title: "only these", click: press }, label);
}
