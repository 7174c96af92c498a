// Prints the trees of ranges of timelines: standard input has, for each, its facts, its data and the questions.

import { readFileSync } from "node:fs";
import { stdout } from "node:process";

import { loaded, unpacked } from "../../workbench/render/timeline/data.js";
import { treeOf } from "../../workbench/render/timeline/tree.js";

const answers = [];
for (const { facts, chunks, questions } of JSON.parse(readFileSync(0, "utf-8"))) {
  const data = loaded(facts, await unpacked(chunks));
  answers.push(questions.map(([part, from, to, tracks]) => treeOf(data, part, { from, to }, tracks)));
}
stdout.write(JSON.stringify(answers));
