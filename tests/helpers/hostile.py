"""Names that must be shown, and do nothing."""

HOSTILE = [
    "</script><script>window.ran = 1</script>",
    "]]><script>window.ran = 2</script>",
    '"><image href="x" onerror="window.ran = 3"/><img src="x" onerror="window.ran = 3">',
    "javascript:window.ran = 4",
    "long " + "x" * 10_000,
    "\u202etxt.exe\u200f and \u2066more",
    "nul \x00 bell \x07 escape \x1b nel \x85 not a character \uffff",
    "surrogate \ud800 alone",
    "{{ 7 * 7 }} ${window.ran = 5} &lt;b&gt; --> \\u003c the policy of this page",
    "'&</style></svg><svg onload=alert(6)>",
    "$x^2$ 100% \\frac %s {0} a;b/c\\d",
    "\u6f22\u5b57 " * 40,
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 " * 30 + "\ufdfd" * 10,
    "\U0001f9ea\U0001f9ea\U0001f9ea " * 30,
    "\u01c4" * 60,  # a letter that no monospace font has, and over two cells wide
    "solve",
    "Solve",
    "",
]
