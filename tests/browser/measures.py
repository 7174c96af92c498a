"""What no page may have, found by scripts that run in it."""

OVERFLOWING = """
[...document.querySelectorAll('body *')].filter(element => {
    if (element.closest('.scroll, pre, svg')) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
}).map(element => element.tagName + '.' + element.className)
"""
"""Elements that stick out of the screen without a container of their own to scroll in."""

FAINT = """
() => {
    const parse = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = rgb => {
        const [r, g, b] = rgb.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        for (let e = element; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const faint = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || element.closest('svg, style')) continue;
        const a = luminance(parse(getComputedStyle(element).color).slice(0, 3)), b = luminance(ground(element));
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.add(`${element.tagName}.${element.className} ${contrast.toFixed(2)}`);
    }
    return [...faint];
}
"""
"""Texts whose contrast with their ground is below 4.5, as WCAG AA wants it, in the scheme that is shown."""
