// Rules that find mistakes; how the scripts look is for whoever writes them.

const page = [
  "Blob", "CustomEvent", "DecompressionStream", "Element", "HTMLElement", "IntersectionObserver", "Node", "Response",
  "ResizeObserver", "URL", "URLSearchParams", "addEventListener", "atob", "cancelAnimationFrame", "clearTimeout",
  "console", "devicePixelRatio", "document", "getComputedStyle", "getSelection", "history", "innerHeight", "innerWidth",
  "location", "matchMedia", "performance", "removeEventListener", "requestAnimationFrame", "scrollBy", "scrollTo", "setTimeout", "window",
];

const rules = {
  "constructor-super": "error",
  "eqeqeq": "error",
  "for-direction": "error",
  "no-cond-assign": "error",
  "no-const-assign": "error",
  "no-dupe-args": "error",
  "no-dupe-class-members": "error",
  "no-dupe-else-if": "error",
  "no-dupe-keys": "error",
  "no-duplicate-case": "error",
  "no-duplicate-imports": "error",
  "no-eval": "error",
  "no-fallthrough": "error",
  "no-func-assign": "error",
  "no-implied-eval": "error",
  "no-import-assign": "error",
  "no-redeclare": "error",
  "no-self-assign": "error",
  "no-undef": "error",
  "no-unreachable": "error",
  "no-unused-vars": "error",
  "no-useless-assignment": "error",
  "no-var": "error",
  "prefer-const": ["error", { destructuring: "all" }],
  "use-isnan": "error",
  "valid-typeof": "error",
};

export default [
  { ignores: ["**/.venv*/", "build/", "docs/", "profiles/", "reports/"] },
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: { ecmaVersion: 2022, sourceType: "module" },
    rules,
  },
  {
    files: ["tests/js/*.js"],
    languageOptions: { globals: { process: "readonly" } },
  },
  {
    files: ["workbench/**/*.js"],
    languageOptions: { globals: Object.fromEntries(page.map((name) => [name, "readonly"])) },
  },
];
