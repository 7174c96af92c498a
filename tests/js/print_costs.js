// Prints what scopes cost in the whole run, by name: standard input has a timeline's facts and data.

import { readFileSync } from "node:fs";
import { stdout } from "node:process";

import { costsOf } from "../../workbench/render/timeline/costs.js";
import { loaded, unpacked } from "../../workbench/render/timeline/data.js";

const { facts, chunks } = JSON.parse(readFileSync(0, "utf-8"));
const data = loaded(facts, await unpacked(chunks));
stdout.write(JSON.stringify(Object.fromEntries(costsOf(data, { from: 0, to: facts.total + 1 }))));
