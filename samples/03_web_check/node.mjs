// node node.mjs FOLDER: the check on the command line, and the scores of the golden inputs as JSON.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "./check.mjs";

const folder = process.argv[2];
const read = async (name) => new Uint8Array(await readFile(join(folder, name)));
const { plan, scores, checked } = await load(read);
const best = [];
for (let i = 0; i < checked; i++) {
  const found = Array.from(await scores(await read(`golden/input-${i}.bin`)));
  const top = found.indexOf(Math.max(...found));
  best.push({ class_id: top, label: plan.labels[top], score: found[top] });
}
console.log(JSON.stringify({ checked, best }));
