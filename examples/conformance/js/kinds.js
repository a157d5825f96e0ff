// What each kind of case computes: from the inputs and options of a case to its results by name.

import { attention, attentionBackward } from "./attention.js";
import * as lookups from "./bias.js";
import { cosine, cosineBackward } from "./cosine.js";
import { resize, resizeBackward } from "./resize.js";
import { schemeIndex } from "./schemes.js";
import { reverse, reverseBackward, shiftMask, windows, windowsBackward } from "./windows.js";

/** inputs and options: the names a kind knows; run(given, douts) -> {result: array} */
const kind = (inputs, options, run) => ({ inputs, options, run });

/** A kind with one output and a gradient from the same arguments. */
const withGradient = (inputs, options, forward, backward) => {
  const run = (given, [dout]) => ({ out: forward(given), ...backward(dout, given) });
  return kind(inputs, options, run);
};

const WINDOW = ["window_size", "shift_size"];
const RESIZE = ["window_size", "new_window_size", "method", "num_prefix_tokens"];

export const KINDS = {
  attention: kind(["q", "k", "v", "table", "index", "mask"], ["scale"], (given, [dout]) => {
    const { out, p } = attention(given);
    return { out, ...attentionBackward(dout, p, given) };
  }),
  bias: withGradient(["table", "index"], [], lookups.bias, lookups.biasBackward),
  score_lookup: withGradient(
    ["q", "embedding", "index"],
    [],
    lookups.scoreLookup,
    lookups.scoreLookupBackward,
  ),
  value_lookup: withGradient(
    ["p", "embedding", "index"],
    [],
    lookups.valueLookup,
    lookups.valueLookupBackward,
  ),
  cosine: kind(["q", "k", "logit_scale"], [], (given, douts) => {
    const [queries, keys] = cosine(given);
    return { "out.0": queries, "out.1": keys, ...cosineBackward(douts, given) };
  }),
  windows: withGradient(["x"], WINDOW, windows, windowsBackward),
  reverse: withGradient(["windows", "residual"], ["size", ...WINDOW], reverse, reverseBackward),
  shift: kind([], ["size", ...WINDOW], (given) => ({ out: shiftMask(given) })),
  resize: withGradient(["table"], RESIZE, resize, resizeBackward),
  index: kind([], null, (given, douts, scheme) => ({ out: schemeIndex(scheme, given) })),
};

/** Run a case of the manifest on its tensors. */
export function results({ id, kind: name, scheme, inputs, options }, tensors) {
  const known = KINDS[name];
  const allowed = known.options ?? Object.keys(options); // an index checks its own
  const unknown = [
    ...Object.keys(inputs).filter((input) => !known.inputs.includes(input)),
    ...Object.keys(options).filter((option) => !allowed.includes(option)),
  ];
  if (unknown.length > 0) throw new RangeError(`${id}: unknown argument ${unknown[0]}`);
  const arrays = Object.keys(inputs).map((input) => [input, tensors[`input.${input}`]]);
  const douts = ["", ".0", ".1"].map((which) => tensors[`cotangent.out${which}`]).filter(Boolean);
  return known.run({ ...Object.fromEntries(arrays), ...options }, douts, scheme);
}
