// Prints what the scripts say of trees and labels on standard input: test_fold.py compares it with Python.

import { readFileSync } from "node:fs";

import { frameName } from "../../workbench/render/words.js";
import { isImport, isOwn, packageOf } from "../../workbench/render/flamegraph/code.js";
import { folded } from "../../workbench/render/flamegraph/transforms.js";

const { trees, labels } = JSON.parse(readFileSync(0, "utf-8"));
const facts = labels.map((label) => [isOwn(label), isImport(label), packageOf(label), frameName(label[0], label[1])]);
process.stdout.write(JSON.stringify({ trees: trees.map(folded), facts }));
