// Compares a result with the truth by the rule of the manifest.

import { sameShape } from "./array.js";

/**
 * The error as a share of the tolerance: right if it is at most 1. Infinity (or NaN) is wrong.
 * output: {shape, rule, cost} of the manifest; rules: the manifest's factors.
 */
export function share(result, truth, spread, output, rules) {
  if (!result || !sameShape(result.shape, output.shape)) return Infinity;
  const pairs = Array.from(truth.data, (t, i) => [result.data[i], t]);
  if (output.rule === "exact") return pairs.every(([r, t]) => r === t) ? 0 : Infinity;
  // Where the truth is −∞ the result must be, and the element counts as right. NaN is never right.
  const hidden = ([r, t]) => r === -Infinity && t === -Infinity;
  const finite = (pair) => pair.every(Number.isFinite);
  if (!pairs.every((pair) => hidden(pair) || finite(pair))) return Infinity;
  const t = pairs.map((pair) => (hidden(pair) ? 0 : pair[1]));
  const e = pairs.map((pair) => (hidden(pair) ? 0 : pair[0] - pair[1]));
  switch (output.rule) {
    case "float64":
      return largest(e) / (rules.float64 * Math.max(1, largest(t)));
    case "rounding":
      return roundingShare(e, t, spread.data, output.cost, rules.rounding);
    default:
      throw new RangeError(`rule: exact, float64 or rounding, not ${output.rule}`);
  }
}

function roundingShare(e, t, spread, cost, factor) {
  const scaled = e.map((error, i) => error / spread[i]);
  const power = sum(t.map((value) => value * value));
  const measures = [
    largest(scaled),
    e.length > 0 ? Math.sqrt(sum(scaled.map((x) => x * x)) / e.length) : 0,
    power > 0 ? Math.abs(sum(e.map((error, i) => error * t[i]))) / power : 0,
  ];
  return Math.max(...measures.map((x, i) => (x === 0 ? 0 : x / (factor * cost[i]))));
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
