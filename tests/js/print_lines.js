// Prints the lines of ranges of pages: standard input has, for each, its timeline's facts and data, the data of its
// lines, and the questions: a scope or null, and a range.

import { readFileSync } from "node:fs";
import { stdout } from "node:process";

import { loaded, unpacked } from "../../workbench/render/timeline/data.js";
import { linesBetween } from "../../workbench/render/timeline/samples.js";
import { rowsOfPart } from "../../workbench/report/templates/lines_data.js";

const answers = [];
for (const { facts, chunks, lines, questions } of JSON.parse(readFileSync(0, "utf-8"))) {
  const { tracks } = loaded(facts, await unpacked(chunks));
  const part = (from, to) => linesBetween(tracks, lines.groups.length, { from, to });
  answers.push(questions.map(([scope, from, to]) => [...rowsOfPart(lines, scope, part(from, to)).values()]));
}
stdout.write(JSON.stringify(answers));
