// node main.js [VECTORS_FOLDER]: run every case of the golden vectors and judge the results.
// Exit code 0 if all are right, 1 if one is wrong or a file is damaged.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { sameShape } from "./array.js";
import { share } from "./judge.js";
import { KINDS, results } from "./kinds.js";
import { readTensors } from "./safetensors.js";
import { SCHEMES } from "./schemes.js";

const VECTORS = fileURLToPath(new URL("../../../parity_tests/vectors/data", import.meta.url));

/** The tensors of a case; an Error names the file, and the tensor that is damaged. */
function load(folder, { file, sha256, inputs, outputs }) {
  try {
    const bytes = readFileSync(join(folder, file));
    const tensors = readTensors(bytes);
    for (const [name, { shape }] of Object.entries(inputs)) expect(tensors, `input.${name}`, shape);
    for (const [name, { shape, rule }] of Object.entries(outputs)) {
      if (name.startsWith("out") && hasGradients(outputs))
        expect(tensors, `cotangent.${name}`, shape);
      expect(tensors, `truth.${name}`, shape);
      if (rule === "rounding") expect(tensors, `spread.${name}`, shape);
    }
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new Error("the checksum is not that of the manifest");
    }
    return tensors;
  } catch (error) {
    throw new Error(`${file}: ${error.message}`);
  }
}

const hasGradients = (outputs) => Object.keys(outputs).some((name) => name.startsWith("d"));

function expect(tensors, name, shape) {
  if (!tensors[name]) throw new Error(`${name}: missing`);
  if (!sameShape(tensors[name].shape, shape)) {
    throw new Error(`${name}: shape (${tensors[name].shape}), the manifest has (${shape})`);
  }
}

/** The shares of the results of a case: {name: share}. */
function judge(folder, test, rules) {
  const tensors = load(folder, test);
  const got = results(test, tensors);
  const judged = Object.entries(test.outputs).map(([name, output]) => {
    const [truth, spread] = [tensors[`truth.${name}`], tensors[`spread.${name}`]];
    return [name, share(got[name], truth, spread, output, rules)];
  });
  return Object.fromEntries(judged);
}

/** Judge all cases of a kind and dtype, print a line, and return whether all are right. */
function report(folder, tests, rules) {
  const shares = tests.map((test) => judge(folder, test, rules));
  const largest = Math.max(...shares.flatMap(Object.values));
  const right = largest <= 1;
  const head = `${tests[0].kind.padEnd(12)} ${tests[0].dtype.padEnd(8)}`;
  const verdict = right ? "right" : "WRONG";
  console.log(`${head} ${String(tests.length).padStart(4)} cases  ${verdict}  ${shown(largest)}`);
  tests.forEach((test, i) => {
    for (const [name, value] of Object.entries(shares[i])) {
      if (!(value <= 1)) console.log(`  ${test.id}: ${name} is wrong, ${shown(value)}`);
    }
  });
  return right;
}

const shown = (value) => `largest share of the tolerance ${value.toPrecision(3)}`;

function main(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  if (manifest.format !== 1)
    throw new Error(`manifest.json: format 1 expected, got ${manifest.format}`);
  const mine = manifest.cases.filter(({ kind, scheme }) => {
    return kind in KINDS && (kind !== "index" || scheme in SCHEMES);
  });
  const absent = Object.keys(KINDS).filter((kind) => !mine.some((test) => test.kind === kind));
  if (absent.length > 0) throw new Error(`manifest.json: no case of ${absent.join(", ")}`);
  const groups = new Map();
  for (const test of mine) {
    const name = `${test.kind} ${test.dtype}`;
    groups.set(name, [...(groups.get(name) ?? []), test]);
  }
  const right = [...groups.values()].map((tests) => report(folder, tests, manifest.rules));
  console.log(`${mine.length} of the ${manifest.cases.length} cases were run`);
  return right.every(Boolean);
}

try {
  process.exitCode = main(process.argv[2] ?? VECTORS) ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
