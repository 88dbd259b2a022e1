// The picture: a lane for each agent with its steps as bars, and below it what the session had cost by then.

const picture = { canvas: byId("picture").firstElementChild, told: byId("told"), lane: 0, left: 0, drag: null };
const LANES_HIGH = 240;
const COST_HIGH = 90;
const AXIS_HIGH = 22;
const GUTTER = 150;
const NEAR = 4;
const KINDS = {
  llm: "llm", tool: "tool", search: "search", decision: "decision", delegate: "delegate", result: "delegate",
  user: "message", agent: "message", start: "message", end: "message", memory: "memory", error: "error",
};

/** The steps that cost something, by when they were done; with what all had cost by then. */
const spending = (() => {
  const paid = [...steps.cost.keys()].filter((step) => steps.cost[step]);
  paid.sort((a, b) => steps.began[a] + steps.took[a] - steps.began[b] - steps.took[b]);
  let sum = 0;
  return paid.map((step) => ({ step, at: steps.began[step] + steps.took[step], sum: (sum += steps.cost[step]) }));
})();
const spent = spending.at(-1)?.sum ?? 0;

function kindOf(step) {
  return KINDS[steps.word[step]] ?? "other";
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function layPicture() {
  const width = byId("picture").clientWidth;
  const lanes = session.lanes.length;
  picture.lane = Math.max(Math.min(26, LANES_HIGH / lanes), 3);
  picture.left = width > 700 && lanes > 1 ? GUTTER : 0;
  picture.costTop = picture.lane * lanes + 14;
  picture.costHigh = spent ? COST_HIGH : 0;
  picture.high = picture.costTop + picture.costHigh + AXIS_HIGH;
  picture.wide = width;
  const scale = devicePixelRatio || 1;
  picture.canvas.width = width * scale;
  picture.canvas.height = picture.high * scale;
  picture.canvas.style.height = `${picture.high}px`;
  picture.pen = picture.canvas.getContext("2d");
  picture.pen.setTransform(scale, 0, 0, scale, 0, 0);
  drawPicture();
}

function drawPicture() {
  const { pen } = picture;
  const time = (picture.axis = axis(picture.left, picture.wide - 2));
  pen.clearRect(0, 0, picture.wide, picture.high);
  pen.font = "11px system-ui, sans-serif";
  drawTicks(pen, time);
  drawLanes(pen);
  pen.save();
  pen.beginPath();
  pen.rect(picture.left, 0, picture.wide - picture.left, picture.high);
  pen.clip();
  drawSteps(pen, time);
  if (spent) drawCost(pen, time);
  pen.restore();
  if (spent) drawCostWords(pen);
  if (picture.drag) drawDrag(pen);
  picture.canvas.setAttribute("aria-label", pictureWords());
}

function pictureWords() {
  const errors = steps.bad.reduce((sum, bad) => sum + bad, 0);
  const cost = spent ? `, ${dollars(spent)}` : "";
  return `${counted(COUNT, "step")} in ${counted(session.lanes.length, "lane")} over ${duration(LENGTH)}, ${errors} went wrong${cost}`;
}

function drawTicks(pen, time) {
  const bottom = picture.costTop + picture.costHigh;
  pen.textAlign = "center";
  for (const [moment, text] of ticks(time, Math.max((picture.wide - picture.left) / 90, 2))) {
    const column = Math.round(time.at(moment)) + 0.5;
    pen.fillStyle = colour("line");
    pen.fillRect(column, 0, 1, bottom);
    pen.fillStyle = colour("soft");
    if (column > picture.left + 22 && column < picture.wide - 22) pen.fillText(text, column, bottom + 15);
  }
}

function drawLanes(pen) {
  pen.textAlign = "left";
  session.lanes.forEach((lane, number) => {
    const top = number * picture.lane;
    pen.fillStyle = colour("line");
    pen.fillRect(0, top + picture.lane - 0.5, picture.wide, 0.5);
    if (!picture.left || picture.lane < 11) return;
    pen.fillStyle = colour("soft");
    const lead = Math.min(lane.depth, 6) * 8;
    pen.fillText(fitting(pen, lane.agent, picture.left - lead - 8), lead, top + picture.lane / 2 + 4);
  });
}

function fitting(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let kept = text.slice(0, 60);
  while (kept && pen.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept}…`;
}

/** Good steps first, then what matches, then errors on top of all. */
function drawSteps(pen, time) {
  const layers = [[], [], [], []];
  for (let step = 0; step < COUNT; step++) {
    if (steps.began[step] > time.to || steps.began[step] + steps.took[step] < time.from) continue;
    layers[wanted(step) ? (steps.bad[step] ? 3 : found.has.has(step) ? 2 : 1) : 0].push(step);
  }
  const colours = Object.fromEntries([...new Set([...Object.values(KINDS), "other", "bad"])].map((name) => [name, colour(name)]));
  layers.forEach((layer, number) => {
    pen.globalAlpha = number ? 1 : 0.15;
    for (const step of layer) drawStep(pen, time, step, colours);
  });
  pen.globalAlpha = 1;
  if (found.pattern) drawMatches(pen, time);
}

function drawStep(pen, time, step, colours) {
  const pad = picture.lane > 8 ? 3 : 0.5;
  const left = time.at(steps.began[step]);
  const wide = Math.max(time.at(steps.began[step] + steps.took[step]) - left, 2);
  pen.fillStyle = steps.bad[step] ? colours.bad : colours[kindOf(step)];
  pen.fillRect(left, steps.lane[step] * picture.lane + pad, wide > 4 ? wide - 0.5 : wide, picture.lane - 2 * pad);
}

function drawMatches(pen, time) {
  pen.fillStyle = colour("mark");
  for (const step of found.steps) {
    pen.fillRect(time.at(steps.began[step]) - 1, steps.lane[step] * picture.lane, 3, 3);
  }
}

function drawCost(pen, time) {
  const bottom = picture.costTop + picture.costHigh;
  const level = (sum) => bottom - (sum / spent) * (picture.costHigh - 16);
  const line = new Path2D(`M${picture.left} ${bottom}`);
  let last = bottom;
  for (const { at, sum } of spending) {
    const column = Math.min(Math.max(time.at(at), picture.left), picture.wide);
    line.lineTo(column, last);
    line.lineTo(column, (last = level(sum)));
  }
  line.lineTo(picture.wide, last);
  pen.strokeStyle = colour("money");
  pen.lineWidth = 1.5;
  pen.stroke(line);
  line.lineTo(picture.wide, bottom);
  pen.fillStyle = colour("money-soft");
  pen.fill(line);
}

function drawCostWords(pen) {
  pen.textAlign = "left";
  pen.fillStyle = colour("soft");
  const words = `cost so far, ${dollars(spent)} in all`;
  pen.fillText(words, picture.left ? 0 : 4, picture.costTop + 12);
}

function drawDrag(pen) {
  const { from, to } = picture.drag;
  pen.fillStyle = colour("brush");
  pen.fillRect(Math.min(from, to), 0, Math.abs(to - from), picture.high - AXIS_HIGH);
}

/** The step under a point, or the one beside it; of several the shortest. */
function stepAt(x, y) {
  const lane = Math.floor(y / picture.lane);
  const moment = picture.axis.moment(x);
  const near = picture.axis.moment(x + NEAR) - moment;
  let best = -1;
  for (let step = 0; step < COUNT; step++) {
    if (steps.lane[step] !== lane || !wanted(step)) continue;
    if (moment < steps.began[step] - near || moment > steps.began[step] + steps.took[step] + near) continue;
    if (best < 0 || steps.took[step] <= steps.took[best]) best = step;
  }
  return best;
}

/** The call that paid for the piece of the cost line under a point. */
function costAt(x) {
  const moment = picture.axis.moment(x - NEAR);
  return spending.find(({ at }) => at >= moment);
}

function told(x, y) {
  if (y < picture.lane * session.lanes.length) {
    const step = stepAt(x, y);
    if (step < 0) return [];
    const took = steps.took[step] ? `  ${duration(steps.took[step])}` : "";
    const cost = steps.cost[step] === null ? "" : `  ${dollars(steps.cost[step])}`;
    return [step, `${clock(steps.began[step])}  ${steps.word[step]}  ${steps.said[step].slice(0, 100)}${took}${cost}`];
  }
  const paid = spent && y < picture.costTop + picture.costHigh ? costAt(x) : undefined;
  if (!paid) return [];
  const { step, sum } = paid;
  return [step, `${clock(steps.began[step])}  ${dollars(sum)} so far, ${dollars(steps.cost[step])} of it by ${steps.label[step]}`];
}

function showTold(x, y) {
  const [step, text] = told(x, y);
  picture.told.hidden = step === undefined;
  picture.canvas.style.cursor = step === undefined ? "crosshair" : "pointer";
  if (step === undefined) return;
  picture.told.textContent = text;
  picture.told.style.left = `${Math.max(Math.min(x + 12, picture.wide - picture.told.offsetWidth - 4), 0)}px`;
  picture.told.style.top = `${y + 16}px`;
}

/** Hovering tells, a click opens, dragging chooses a span of time. */
function listenToPicture() {
  const { canvas } = picture;
  canvas.addEventListener("pointerdown", (event) => {
    picture.drag = { from: event.offsetX, to: event.offsetX };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (picture.drag) {
      picture.drag.to = event.offsetX;
      drawPicture();
    } else showTold(event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointerup", (event) => endDrag(event.offsetX, event.offsetY));
  canvas.addEventListener("pointercancel", () => {
    picture.drag = null;
    drawPicture();
  });
  canvas.addEventListener("pointerleave", () => (picture.told.hidden = true));
}

function endDrag(x, y) {
  if (!picture.drag) return;
  const [left, right] = [picture.drag.from, x].sort((a, b) => a - b);
  picture.drag = null;
  if (right - left < NEAR) {
    const [step] = told(x, y);
    drawPicture();
    if (step !== undefined) followTo(step);
    return;
  }
  asked.from = Math.max(picture.axis.moment(left), 0);
  asked.to = picture.axis.moment(right);
  changed();
}
