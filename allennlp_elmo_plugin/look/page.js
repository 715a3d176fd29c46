"use strict";
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const { tokens, words, scores, topn, names } = data;
const starts = data.sentenceStarts;
const LEVELS = [2, 4, 7, 10, 13]; // bits, as in the legend
const SIDE = 9; // words of a context on either side
let chosen = -1; // the token whose details are shown
let reached = 0; // the only token that the Tab key reaches
let figure = null; // a promise of the source of each period's points

// The part of each number, from the first numbers of all parts.
const parts = (firsts) =>
  firsts.slice(1).flatMap((end, part) => Array(end - firsts[part]).fill(part));
const sentenceOf = parts(starts);
const periodOf = parts(data.periodStarts);
const nameOf = (token) => names[periodOf[sentenceOf[token]]];
const cell = (token) => byId(`t${token}`);
const text = (from, to) => tokens.slice(from, to).map((id) => words[id]).join(" ");
const layer = () => Number(byId("layer").value);
const range = (length, start = 0) => Array.from({ length }, (_, place) => start + place);

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}
const button = (onclick, ...children) => make("button", { type: "button", onclick }, ...children);

function contextButton(token, note = "") {
  const [start, end] = [starts[sentenceOf[token]], starts[sentenceOf[token] + 1]];
  const [first, last] = [Math.max(start, token - SIDE), Math.min(end, token + SIDE + 1)];
  const before = (first > start ? "… " : "") + text(first, token);
  const after = text(token + 1, last) + (last < end ? " …" : "");
  const mark = make("mark", {}, words[tokens[token]]);
  return button(() => choose(token, true), `${before} `, mark, ` ${after}`, note);
}

const unknown = new Set(scores && scores.unknown);
const named = (token) =>
  words[tokens[token]] + (unknown.has(token) ? " (outside the vocabulary)" : "");

function bits(token, direction) {
  const [forward, backward] = scores.surprisal.map((values) => values[token] / 10);
  return [forward, backward, (forward + backward) / 2][direction].toFixed(1);
}

function paint() {
  document.body.classList.toggle("numbers", byId("numbers").checked);
  for (const token of scores ? tokens.keys() : []) {
    const found = bits(token, byId("direction").value);
    const node = cell(token);
    node.className = `s${LEVELS.filter((bound) => found >= bound).length}`;
    node.classList.toggle("unknown", unknown.has(token));
    node.dataset.bits = found;
    node.setAttribute("aria-label", `${named(token)}, ${found} bits`);
  }
}

function describe(token) {
  const place = `${named(token)}, sentence ${sentenceOf[token] + 1}, ${nameOf(token)}.`;
  const measures = scores ? ["forward", "backward"].map((name, direction) => {
    const grouped = (number) => number.toLocaleString("en");
    const rank = `rank ${grouped(scores.ranks[direction][token])} of ${grouped(scores.numWords)}`;
    return `Surprisal ${name}: ${bits(token, direction)} bits, ${rank}.`;
  }) : [];
  return [place, ...measures].join(" ");
}

// The best for the chosen token, each with its value, which is whole without its digits.
const ranked = ({ ids, values }, digits) =>
  range(topn, chosen * topn).filter((place) => ids[place] >= 0)
    .map((place) => [ids[place], (values[place] / 10 ** digits).toFixed(digits)]);
const measure = (value) => make("span", { className: "measure" }, ` ${value}`);
const list = (title, className, items) => [make("h3", {}, title),
  make("ol", { className }, ...items.map((children) => make("li", {}, ...children)))];

const substitutes = () => ["the words before", "the words after", "both"].flatMap((title, by) =>
  list(`Substitutes by ${title}`, "words", ranked(data.substitutes.by[by], 2).map(([id, percent]) =>
    [data.substitutes.words[id], measure(`${percent}%`)])));

function showDetails() {
  document.querySelectorAll(".near").forEach((node) => node.classList.remove("near"));
  if (chosen < 0) return;
  const contexts = ranked(data.contexts[layer()], 3);
  contexts.forEach(([token]) => cell(token).classList.add("near"));
  const period = (token) => (names.length > 1 ? `, ${nameOf(token)}` : "");
  const near = ranked(data.nearWords[layer()], 3);
  const id = tokens[chosen];
  byId("lists").replaceChildren(
    ...(id in data.planes ? [button(() => showView("plane", id), "Plane of its contexts")] : []),
    ...list(`Nearest contexts in layer ${layer()}`, "", contexts.map(([token, cosine]) =>
      [contextButton(token, measure(cosine + period(token)))])),
    ...list(`Nearest words in layer ${layer()}`, "words",
      near.map(([other, cosine]) => [words[other], measure(cosine)])),
    ...(data.substitutes ? substitutes() : []),
  );
}

function choose(token, moves) {
  if (chosen >= 0) cell(chosen).removeAttribute("aria-selected");
  chosen = token;
  cell(token).setAttribute("aria-selected", "true");
  reach(token);
  byId("status").textContent = describe(token);
  showDetails();
  drawPlane();
  byId("details").scrollTop = 0;
  cell(token).scrollIntoView({ block: moves ? "center" : "nearest" });
  // The button of a context is gone, and the focus must not be lost with it.
  if (moves) (byId("text").hidden ? byId("details") : cell(token)).focus();
}

function reach(token) {
  cell(reached).tabIndex = -1;
  reached = token;
  cell(token).tabIndex = 0;
  return cell(token);
}

function onTextKey(event) {
  const sentence = sentenceOf[reached];
  const [start, end] = [starts[sentence], starts[sentence + 1]];
  const beside = (other) => (other < 0 || other > starts.length - 2 ? reached
    : Math.min(starts[other] + reached - start, starts[other + 1] - 1));
  const target = {
    ArrowLeft: Math.max(reached - 1, 0), ArrowRight: Math.min(reached + 1, tokens.length - 1),
    ArrowUp: beside(sentence - 1), ArrowDown: beside(sentence + 1),
    Home: event.ctrlKey ? 0 : start, End: event.ctrlKey ? tokens.length - 1 : end - 1,
  }[event.key];
  if (target !== undefined) reach(target).focus();
  else if (event.key === "Enter" || event.key === " ") choose(reached);
  else return;
  event.preventDefault();
}

function showView(view, id = byId("word").value) {
  byId("text").hidden = view !== "text";
  byId("contexts").hidden = view !== "plane";
  byId("controls").elements.view.value = view;
  byId("word").value = id;
  drawPlane();
}

async function makeFigure() {
  await Bokeh.embed.embed_item(data.figure, "plane");
  const [drawn] = Bokeh.documents;
  const sources = names.map((_, period) => drawn.get_model_by_name(`period-${period}`));
  for (const source of sources) {
    source.selected.properties.indices.change.connect(() => {
      const token = source.data.token[source.selected.indices[0]];
      if (token !== undefined && token !== chosen) choose(token);
    });
  }
  return sources;
}

async function drawPlane() {
  if (byId("contexts").hidden) return;
  figure = figure || makeFigure();
  const sources = await figure;
  const id = Number(byId("word").value);
  const plane = data.planes[id][layer()];
  const rows = [...tokens.keys()].filter((token) => tokens[token] === id).map((token, row) => {
    const [x, y] = plane.points.slice(2 * row, 2 * row + 2).map((value) => value / 1000);
    // The hover box takes HTML, in which the text is escaped here.
    const hover = make("p", {}, `${nameOf(token)}: `, ...contextButton(token).childNodes);
    return { token, x, y, html: hover.innerHTML };
  });
  sources.forEach((source, period) => {
    const own = rows.filter(({ token }) => periodOf[sentenceOf[token]] === period);
    const columns = source.columns().map((name) => [name, own.map((row) => row[name])]);
    source.data = Object.fromEntries(columns);
    source.selected.indices = range(own.length).filter((row) => own[row].token === chosen);
  });
  byId("plane-note").textContent = plane.note;
  byId("rows").replaceChildren(...rows.map(({ token, x, y }) => make("tr", {},
    ...[nameOf(token), contextButton(token), x.toFixed(2), y.toFixed(2)].map((each) =>
      make("td", {}, each)))));
}

document.onchange = () => {
  paint();
  showDetails();
  showView(byId("controls").elements.view.value);
};
byId("text").addEventListener("focusin", ({ target }) => reach(Number(target.id.slice(1))));
byId("text").onclick = ({ target }) => {
  if (target.matches("[role=gridcell]")) choose(Number(target.id.slice(1)));
};
byId("text").onkeydown = onTextKey;
byId("details").onkeydown = ({ key }) => {
  if (key !== "Escape") return;
  showView("text");
  cell(reached).focus();
};
// After a reload, a browser may have kept the controls as they were.
document.onchange();
reach(0);
