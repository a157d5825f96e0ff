// Windows of a map: pad below and on the right, roll up and to the left, cut.

import { addTo, places, row, zeros } from "./array.js";

const pair = (size) => (typeof size === "number" ? [size, size] : size);

/** The padded size, the window and the shift along both axes; one window is never shifted. */
function geometry(size, windowSize, shiftSize) {
  const window = pair(windowSize);
  const padded = size.map((length, axis) => Math.ceil(length / window[axis]) * window[axis]);
  const shift = pair(shiftSize).map((s, axis) => (padded[axis] > window[axis] ? s : 0));
  return { padded, window, shift, counts: padded.map((length, axis) => length / window[axis]) };
}

/** For each window, the cells of its tokens in the rolled map. */
function rolledCells({ counts, window }) {
  return places(counts).map((n) => {
    return places(window).map((cell) => cell.map((i, axis) => n[axis] * window[axis] + i));
  });
}

/** Call visit(n, t, y, x) for token t of window n, if its place (y, x) is not padding. */
function forEachToken(size, windowSize, shiftSize, visit) {
  const cut = geometry(size, windowSize, shiftSize);
  rolledCells(cut).forEach((cells, n) => {
    cells.forEach((cell, t) => {
      const [y, x] = cell.map((i, axis) => (i + cut.shift[axis]) % cut.padded[axis]);
      if (y < size[0] && x < size[1]) visit(n, t, y, x);
    });
  });
}

/** x (B, H, W, C) -> (B·nW, wh·ww, C), window n of image b at b·nW + n */
export function windows({ x, window_size, shift_size = 0 }) {
  const [batch, height, width, channels] = x.shape;
  const { window, counts } = geometry([height, width], window_size, shift_size);
  const perImage = counts[0] * counts[1];
  const out = zeros([batch * perImage, window[0] * window[1], channels], x);
  forEachToken([height, width], window_size, shift_size, (n, t, y, column) => {
    for (let b = 0; b < batch; b++) row(out, b * perImage + n, t).set(row(x, b, y, column));
  });
  return out;
}

export function windowsBackward(dout, { x, window_size, shift_size = 0 }) {
  const size = x.shape.slice(1, 3);
  return { dx: reverse({ windows: dout, size, window_size, shift_size }) };
}

/** windows (B·nW, wh·ww, C), residual (B, H, W, C) -> (B, H, W, C) */
export function reverse({ windows, size, window_size, shift_size = 0, residual }) {
  const { counts } = geometry(size, window_size, shift_size);
  const perImage = counts[0] * counts[1];
  const batch = windows.shape[0] / perImage;
  const out = zeros([batch, ...size, windows.shape[2]], windows);
  forEachToken(size, window_size, shift_size, (n, t, y, x) => {
    for (let b = 0; b < batch; b++) row(out, b, y, x).set(row(windows, b * perImage + n, t));
  });
  if (residual) addTo(out.data, 1, residual.data);
  return out;
}

export function reverseBackward(dout, { window_size, shift_size = 0, residual }) {
  const dwindows = windows({ x: dout, window_size, shift_size });
  return { dwindows, ...(residual && { dresidual: dout }) };
}

/**
 * The mask of shifted windows (nW, 1, L, L), L = wh·ww: −100 for two tokens that were not carried
 * along the same axes. Nothing is masked, and the result is null, if nothing is shifted.
 */
export function shiftMask({ size, window_size, shift_size }) {
  const cut = geometry(size, window_size, shift_size);
  if (cut.shift.every((s) => s === 0)) return null;
  const data = rolledCells(cut).flatMap((cells) => {
    const carried = cells.map((cell) => {
      return String(cell.map((i, axis) => i >= cut.padded[axis] - cut.shift[axis]));
    });
    return carried.flatMap((s) => carried.map((t) => (s === t ? 0 : -100)));
  });
  const tokens = cut.window[0] * cut.window[1];
  return { shape: [cut.counts[0] * cut.counts[1], 1, tokens, tokens], data: Int32Array.from(data) };
}
