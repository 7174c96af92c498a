// Which code a frame is of: the program's own, an import, the start of the interpreter; and its package. The rules
// for files are those of profile/_own_code.py.

import { NATIVE, PYTHON, SCOPE } from "./trees.js";

const INSTALLED = /[/\\](?:site-packages|dist-packages)[/\\]([^/\\]+)/;
const STANDARD_LIBRARY = /[/\\]lib(?:64)?[/\\]python3(?:\.\d+)?[/\\]|^</;
const RECORDER = /[/\\]workbench[/\\](?:scopes|capture)[/\\]/;
const IMPORT = /^<frozen (?!runpy)|[/\\]importlib[/\\]|[/\\](?:site|sitecustomize|_workbench_autostart)\.py$/;
const RUNPY = /^<frozen runpy>$|[/\\]runpy\.py$/;
const START = /^(?:_start|__libc_start\w*|main|Py_(?:Bytes|Run)?Main|pymain_\w+)$/;
const INTERPRETER = /(?:^|[/\\])(?:python[\d.]*[dt]?|libpython[\d.]+\w*\.so(?:\.[\d.]+)?)$/;
const SYSTEM = /^(?:[/\\](?:usr[/\\])?lib|\[)/;

export const PROGRAM = "program";

const fileOf = (place) => place.replace(/:\d+$/, "");

// A function of the program, or a scope; also one whose file is not known.
export function isOwn([, place, kind]) {
  if (kind === SCOPE) return true;
  const file = fileOf(place);
  return kind === PYTHON && !(INSTALLED.test(file) || STANDARD_LIBRARY.test(file) || RECORDER.test(file));
}

export const isImport = ([, place, kind]) => kind === PYTHON && IMPORT.test(fileOf(place));
// The body of a module that is not the program's own: above its code, an import.
export const isModuleBody = (label) => label[0] === "<module>" && /^[^<]/.test(label[1]) && label[2] === PYTHON && !isOwn(label);
export const runsModules = ([, place]) => RUNPY.test(fileOf(place)); // python -m
export const isStart = ([name, , kind]) => kind === NATIVE && START.test(name);

// The package of a Python or native function: the program itself, an installed one, Python, or the system.
export function packageOf([, place, kind]) {
  const file = fileOf(place);
  const installed = file.match(INSTALLED);
  if (installed) return installed[1].replace(/\.(?:py|libs)$/, "").replace(/\.cpython-.*\.so$/, "");
  if (STANDARD_LIBRARY.test(file) || INTERPRETER.test(file)) return "Python";
  if (kind === NATIVE) return SYSTEM.test(file) || !file ? "system" : file.split(/[/\\]/).pop();
  return RECORDER.test(file) ? "workbench" : PROGRAM;
}
