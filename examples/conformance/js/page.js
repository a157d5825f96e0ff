// The page: the controls, three grids of cells, and the chosen query and key.

import { SCHEMES } from "./schemes.js";
import { biasColour, firstChoice, rowColour, tokenName, tokenPlaces, view } from "./view.js";

const element = (id) => document.getElementById(id);
const METHODS = ["product", "euclidean", "quant", "cross"];
const HIDDEN = ["ratio"]; // needs a fraction, and nobody changes it

const state = { choice: firstChoice("2d"), query: 0, key: 0, shown: "0", seen: null };

/** Draw cells, with outlines around some of them; returns the cell under a mouse event. */
function drawCells(canvas, { cells, width, height }, largest, colour, outlines) {
  const cell = Math.max(3, Math.min(largest, canvas.parentElement.clientWidth / width));
  const ratio = window.devicePixelRatio;
  [canvas.width, canvas.height] = [width * cell * ratio + 4, height * cell * ratio + 4];
  canvas.style.width = `${canvas.width / ratio}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(cell * ratio, 0, 0, cell * ratio, 2, 2);
  const gap = cell > 8 ? 0.06 : 0;
  cells.forEach(({ x, y }, i) => {
    pen.fillStyle = colour(i);
    pen.fillRect(x, y, 1 - gap, 1 - gap);
  });
  pen.strokeStyle = getComputedStyle(document.body).getPropertyValue("--accent");
  pen.lineWidth = 3 / cell;
  for (const { x, y, w = 1, h = 1 } of outlines) pen.strokeRect(x, y, w - gap, h - gap);
  canvas.cellAt = ({ offsetX, offsetY }) => {
    const [px, py] = [offsetX / cell, offsetY / cell];
    return cells.findIndex(({ x, y }) => px >= x && px < x + 1 && py >= y && py < y + 1);
  };
}

function colourOfPair() {
  const { bias, indices } = state.seen;
  if (state.shown === "bias") {
    const finite = bias.data.filter(Number.isFinite).map(Math.abs);
    const most = finite.reduce((a, b) => Math.max(a, b), 1e-9);
    return (at) => biasColour(bias.data[at], most);
  }
  const index = indices[Math.min(Number(state.shown), indices.length - 1)].data;
  const rows = index.reduce((a, b) => Math.max(a, b)) + 1;
  return (at) => rowColour(index[at], rows);
}

function draw() {
  const { qSize, kSize, prefix, indices, bias } = state.seen;
  const [queries, keys] = bias.shape;
  state.query = Math.min(Math.max(state.query, 0), queries - 1);
  state.key = Math.min(Math.max(state.key, 0), keys - 1);
  const { query, key } = state;
  const colour = colourOfPair();
  const [ofQueries, ofKeys] = [tokenPlaces(qSize, prefix), tokenPlaces(kSize, prefix)];
  const plain = getComputedStyle(document.body).getPropertyValue("--cell");
  drawCells(element("queries"), ofQueries, 34, () => plain, [ofQueries.cells[query]]);
  drawCells(element("keys"), ofKeys, 34, (j) => colour(query * keys + j), [ofKeys.cells[key]]);
  const pairs = Array.from(bias.data, (_, at) => ({ x: at % keys, y: Math.floor(at / keys) }));
  const outlines = [
    { x: 0, y: query, w: keys },
    { x: key, y: query },
  ];
  drawCells(
    element("matrix"),
    { cells: pairs, width: keys, height: queries },
    17,
    colour,
    outlines,
  );
  const at = query * keys + key;
  const rows = indices.map(({ data }) => data[at]).join(" and ");
  const value = bias.data[at] === -Infinity ? "−∞" : bias.data[at].toFixed(3);
  element("pair").textContent =
    `Query ${query}, ${tokenName(query, qSize, prefix)}; key ${key}, ${tokenName(key, kSize, prefix)}: ` +
    `row ${rows} of the table, bias ${value.replace("-", "−")}`;
}

function update() {
  try {
    state.seen = view(state.choice);
    element("wrong").textContent = "";
    draw();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    element("wrong").textContent = error.message;
  }
}

/** A labelled control whose value goes to `set`. */
function control(label, input, set) {
  const wrapper = document.createElement("label");
  wrapper.append(label, input);
  input.addEventListener("change", () => {
    if (!input.checkValidity()) return void input.reportValidity();
    set(input.type === "checkbox" ? input.checked : input.value);
  });
  return wrapper;
}

function number(value, min, max, step = 1) {
  return Object.assign(document.createElement("input"), {
    type: "number",
    min,
    max,
    step,
    value,
    required: true,
  });
}

function select(names, value, shown = (name) => name) {
  const box = document.createElement("select");
  for (const name of names) box.add(new Option(shown(name), name, false, name === value));
  return box;
}

function optionInput(name, value) {
  if (name === "method") return select(METHODS, value);
  if (typeof value === "boolean") {
    return Object.assign(document.createElement("input"), { type: "checkbox", checked: value });
  }
  if (name === "num_buckets") return number(value, 4, 64, 4);
  return number(value, name === "halo_size" ? 0 : 1, 64);
}

/** The controls of the scheme: its window, prefix tokens and options. */
function showControls() {
  const { choice } = state;
  const { axes, options } = SCHEMES[choice.scheme];
  const names = axes[0] === 1 ? ["length"] : ["time", "height", "width"].slice(-axes[0]);
  const change = (name) => (value) => {
    choice[name] = typeof choice[name] === "number" ? Number(value) : value;
    update();
  };
  element("options").replaceChildren(
    ...names.map((name, axis) =>
      control(name, number(choice.window_size[axis], 1, axes[0] === 1 ? 48 : 8), (value) => {
        choice.window_size[axis] = Number(value);
        update();
      }),
    ),
    control("prefix tokens", number(choice.num_prefix_tokens, 0, 4), change("num_prefix_tokens")),
    ...Object.keys(options)
      .filter((name) => !HIDDEN.includes(name))
      .map((name) => control(name, optionInput(name, choice[name]), change(name))),
  );
}

function choose(scheme) {
  state.choice = firstChoice(scheme);
  showControls();
  update();
  const { qSize, kSize, prefix, bias } = state.seen;
  [state.query, state.key] = [middle(qSize, prefix), Math.max(0, bias.shape[1] - 1)];
  if (qSize.join() === kSize.join()) state.key = Math.max(0, state.query - 1);
  draw();
}

const middle = (size, prefix) => {
  return prefix + size.reduce((at, length) => at * length + Math.floor(length / 2), 0);
};

/** Mouse: pick(cell). Keys: move(across, down). */
function listen(canvas, pick, move) {
  const picked = (event) => {
    const cell = canvas.cellAt(event);
    if (cell >= 0) pick(cell);
    draw();
  };
  canvas.addEventListener("pointerdown", picked);
  canvas.addEventListener("pointermove", (event) => event.buttons && picked(event));
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    move(...steps[event.key]);
    draw();
  });
}

listen(
  element("queries"),
  (cell) => (state.query = cell),
  (across, down) => (state.query += across + down * state.seen.qSize.at(-1)),
);
listen(
  element("keys"),
  (cell) => (state.key = cell),
  (across, down) => (state.key += across + down * state.seen.kSize.at(-1)),
);
listen(
  element("matrix"),
  (cell) => {
    const keys = state.seen.bias.shape[1];
    [state.query, state.key] = [Math.floor(cell / keys), cell % keys];
  },
  (across, down) => {
    state.key += across;
    state.query += down;
  },
);

const SHOWN = {
  bias: "bias of a random table",
  0: "row of the table",
  1: "row of the second table, if any",
};
element("choice").prepend(
  control("scheme", select(Object.keys(SCHEMES), "2d"), choose),
  control(
    "colour",
    select(["0", "1", "bias"], "0", (name) => SHOWN[name]),
    (value) => {
      state.shown = value;
      draw();
    },
  ),
);
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
choose("2d");
