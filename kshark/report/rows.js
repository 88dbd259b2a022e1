// Which rows stand in the list: the steps that were asked for, like calls in a row folded.
// A row is the number of its step; that of a folded row the complement (~) of the run's number.

const asked = { words: new Set(), agent: "", label: "", errors: false, matches: false, from: -Infinity, to: Infinity };
const unfolded = new Set();
let rows = [];
let placeOf = new Map();
let shownSteps = 0;

function wanted(step) {
  return (
    (!asked.words.size || asked.words.has(steps.word[step])) &&
    (!asked.agent || steps.agent[step] === asked.agent) &&
    (!asked.label || steps.label[step] === asked.label) &&
    (!asked.errors || steps.bad[step]) &&
    (!asked.matches || found.has.has(step)) &&
    steps.began[step] <= asked.to &&
    steps.began[step] + steps.took[step] >= asked.from
  );
}

function isFiltered() {
  return asked.words.size > 0 || asked.agent || asked.label || asked.errors || asked.matches || isSpan();
}

function isSpan() {
  return asked.from !== -Infinity || asked.to !== Infinity;
}

function showAll() {
  asked.words.clear();
  Object.assign(asked, { agent: "", label: "", errors: false, matches: false, from: -Infinity, to: Infinity });
}

function layRows() {
  rows = [];
  shownSteps = 0;
  let last = -1;
  for (let step = 0; step < COUNT; step++) {
    if (!wanted(step)) continue;
    shownSteps++;
    const run = asked.matches ? -1 : runOf[step];
    if (run >= 0 && run !== last) rows.push(~run);
    if (run < 0 || unfolded.has(run)) rows.push(step);
    last = run;
  }
  placeOf = new Map(rows.map((row, place) => [row, place]));
}

/** The steps of a run that are wanted. */
function inRun(run) {
  const [first, count] = session.runs[run];
  return Array.from({ length: count }, (_, number) => first + number).filter(wanted);
}
