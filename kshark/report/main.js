// Puts the page together: filters and their controls, finding, links to a step, paper.

/** A filter has changed: everything that shows steps is laid anew. */
function changed() {
  layList();
  layTables();
  drawPicture();
  layBar();
}

function layBar() {
  byId("errors").setAttribute("aria-pressed", asked.errors);
  byId("matches").setAttribute("aria-pressed", asked.matches);
  byId("agents").value = asked.agent;
  for (const kind of byId("kinds").children) kind.setAttribute("aria-pressed", asked.words.has(kind.dataset.word));
  const chosen = [];
  if (asked.label) chosen.push(asked.label);
  if (isSpan()) chosen.push(`${clock(spanShown()[0])} to ${clock(spanShown()[1])}`);
  byId("chosen").textContent = chosen.join(", ");
  byId("all").hidden = !isFiltered();
  byId("count").textContent = isFiltered() ? `${grouped(shownSteps)} of ${counted(COUNT, "step")}` : counted(COUNT, "step");
}

function layKinds() {
  const counts = new Map();
  const kinds = new Map();
  steps.word.forEach((word, step) => {
    counts.set(word, (counts.get(word) ?? 0) + 1);
    kinds.set(word, kindOf(step));
  });
  for (const [word, count] of [...counts].sort(([, a], [, b]) => b - a)) {
    const swatch = element("i", { class: kinds.get(word), "aria-hidden": "true" });
    const press = () => {
      if (!asked.words.delete(word)) asked.words.add(word);
      changed();
    };
    const kind = element("button", { type: "button", "aria-pressed": "false", "data-word": word, click: press });
    kind.append(swatch, `${word} `, element("b", {}, grouped(count)));
    byId("kinds").append(kind);
  }
}

function layAgents() {
  const agents = [...new Set(steps.agent)];
  byId("agents").append(element("option", { value: "" }, `all ${counted(agents.length, "agent")}`));
  for (const agent of agents) byId("agents").append(element("option", { value: agent }, agent));
  byId("agents").hidden = agents.length < 2;
}

function lookFor(text) {
  find(text, (done) => {
    if (!found.pattern) asked.matches = false;
    layHits(done);
    if (!done) return;
    if (asked.matches) return changed();
    forgetRows();
    drawPicture();
    layBar();
  });
}

function layHits(done) {
  const count = found.steps.length;
  const at = found.at >= 0 ? `${grouped(found.at + 1)} of ` : "";
  const words = !done ? `${grouped(count)}...` : count ? `${at}${counted(count, "step")}` : "nothing";
  byId("hits").textContent = found.pattern ? words : "";
  byId("matches").hidden = !found.pattern;
  byId("before").disabled = byId("after").disabled = !count;
}

/** The next step that matches, from the current one on; without a search the next that went wrong. */
function nextMatch(by, focus = true) {
  const places = found.pattern ? found.steps : errorSteps();
  if (!places.length) return say(found.pattern ? "nothing matches" : "no errors");
  const after = places.findIndex((step) => step > currentStep());
  const begun = found.pattern && found.at < 0;
  let at = after < 0 ? places.length : after;
  if (by < 0) at = places.findLastIndex((step) => step < currentStep());
  if (begun && by > 0) at = places.findIndex((step) => step >= currentStep());
  at = (at + places.length) % places.length;
  found.at = found.pattern ? at : -1;
  goTo(places[at], false);
  layHits(true);
  if (!focus) byId("find").focus({ preventScroll: true });
}

function errorSteps() {
  return [...steps.bad.keys()].filter((step) => steps.bad[step] && wanted(step));
}

/** Goes to the step that the address names. */
function followAddress() {
  let id;
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch {
    return;
  }
  if (numberOf.has(id)) goTo(numberOf.get(id));
}

function followTo(step) {
  const address = `#${encodeURIComponent(steps.id[step])}`;
  if (location.hash === address) goTo(step);
  else location.hash = address;
}

/** On paper every row stands, up to a number that a printer can bear. */
function lay(onPaper) {
  document.documentElement.classList.toggle("paper", onPaper);
  list.whole = onPaper;
  byId("rest").hidden = !onPaper || rows.length <= MOST_PRINTED;
  byId("rest").textContent = `${counted(rows.length - MOST_PRINTED, "more row")}: open the page in a browser.`;
  forgetRows();
  layHeights();
  layPicture();
}

function listen() {
  let waiting = 0;
  addEventListener("scroll", () => (waiting ||= requestAnimationFrame(() => (waiting = 0, draw()))), { passive: true });
  new ResizeObserver(() => {
    layPicture();
    layHeights();
  }).observe(byId("picture"));
  addEventListener("hashchange", followAddress);
  addEventListener("beforeprint", () => lay(true));
  addEventListener("afterprint", () => lay(false));
  matchMedia("print").addEventListener("change", ({ matches }) => lay(matches));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPicture);
  byId("find").addEventListener("input", ({ target }) => lookFor(target.value));
  byId("after").addEventListener("click", () => nextMatch(1));
  byId("before").addEventListener("click", () => nextMatch(-1));
  for (const id of ["errors", "matches"]) {
    byId(id).addEventListener("click", () => {
      asked[id] = !asked[id];
      changed();
    });
  }
  byId("agents").addEventListener("change", ({ target }) => {
    asked.agent = target.value;
    changed();
  });
  byId("all").addEventListener("click", () => {
    showAll();
    changed();
  });
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("keys").querySelector("button").addEventListener("click", () => byId("keys").close());
  byId("save").addEventListener("click", save);
}

/** Hands out the events as a capture file. */
function save() {
  const address = URL.createObjectURL(new Blob([lines.join("\n"), "\n"], { type: "application/x-ndjson" }));
  element("a", { href: address, download: `${session.session.replace(/[^\w.-]/g, "_").slice(0, 100)}.ndjson` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

document.querySelector("main").hidden = false;
layKinds();
layAgents();
layPicture();
changed();
layHits(true);
listen();
listenToPicture();
listenToKeys();
if (matchMedia("print").matches) lay(true);
followAddress();
performance.mark("steps");
loaded.then(() => {
  byId("save").hidden = false;
  performance.mark("events");
});
