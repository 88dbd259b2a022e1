// The keys.

const KEYS = {
  "/": () => byId("find").focus(),
  n: () => nextMatch(1),
  p: () => nextMatch(-1),
  N: () => nextMatch(-1),
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  g: () => move(-Infinity),
  G: () => move(Infinity),
  o: () => toggle(list.current),
  e: () => press("errors"),
  m: () => press("matches"),
  c: () => copyLink(currentStep()),
  "[": () => bound("from"),
  "]": () => bound("to"),
  "?": () => byId("keys").showModal(),
  Escape: () => {
    byId("find").value = "";
    lookFor("");
    showAll();
    changed();
  },
};

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing) return typed(event);
    if (event.key.startsWith("Arrow") && !event.target.closest?.("#list")) return;
    if (!Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

/** In the field itself: Enter goes to the next match, Escape leaves it. */
function typed(event) {
  if (event.target !== byId("find")) return;
  if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1, false);
  if (event.key === "Escape") event.target.blur();
}

function press(id) {
  if (!byId(id).hidden) byId(id).click();
}

function currentStep() {
  return list.current < 0 ? session.runs[~list.current][0] : list.current;
}

function bound(which) {
  asked[which] = steps.began[currentStep()];
  changed();
}
