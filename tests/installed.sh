#!/usr/bin/env bash
# Installs a wheel into a new virtual environment and does there what README and the guides say:
# tests/installed.sh VENV WHEEL
set -euo pipefail
venv=$1 wheel=$2
root=$(cd "$(dirname "$0")/.." && pwd)
[ -d "$venv" ] || python -m venv "$venv"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}
fail() {
    echo "$1" >&2
    exit 1
}
cd "$folder"
unset PYTHONPATH

# The package alone: scopes, recorder and sampler, and no other package.
install "$wheel"
[ "$("$venv/bin/python" -m pip list --format freeze | grep -cvE '^(pip|setuptools|scopebench)==')" = 0 ] || fail 'other packages came with it'
cat >fit.py <<'PYTHON'
import workbench

total = 0
with workbench.record("recording"):
    for _ in range(50):
        with workbench.scope("sum"):
            total += sum(i * i for i in range(20_000))
print(total)
PYTHON
"$venv/bin/python" fit.py
WORKBENCH_RECORD=recording-2 WORKBENCH_SAMPLE=1000 "$venv/bin/python" -c 'import workbench
with workbench.scope("sum"):
    sum(i * i for i in range(2_000_000))'
for command in '--help' 'profile fit.py' 'bench reference' 'train' 'show recording'; do
    status=0
    # shellcheck disable=SC2086  several words
    line=$("$venv/bin/workbench" $command 2>&1) || status=$?
    [ $status = 2 ] && [ "$(wc -l <<<"$line")" = 1 ] && grep -q "pip install 'scopebench\[" <<<"$line" ||
        fail "workbench $command, without its extra: exit $status, $line"
    echo "$command: $line"
done

# One extra after the other: each is enough for its own subcommands.
install "$wheel[profile]"
grep -q 'sum' <<<"$("$venv/bin/workbench" show recording)" || fail 'the recording of the package alone is not shown'
grep -q '"sum"' <<<"$("$venv/bin/workbench" show recording-2 --json)" || fail 'the recording of a bare worker is not shown'
"$venv/bin/workbench" profile -o profile --summary fit.py
"$venv/bin/workbench" report profile
"$venv/bin/workbench" convert profile profile.folded
"$venv/bin/workbench" doctor
install "$wheel[trainer]"
"$venv/bin/workbench" train --problem multimodal_1d --epochs 2
install "$wheel[bench]"
"$venv/bin/workbench" bench reference --dry-run
install pytest
echo 'def test_sum(): assert sum(range(1000))' >test_sum.py
grep -q 'open tests/index.html' <<<"$("$venv/bin/pytest" -q --workbench-profile=tests)" || fail 'pytest leaves no profile'
install "$wheel[all]"
"$venv/bin/scopebench" doctor --brief

# The notebook of the guide, run by a kernel of this environment.
install 'nbclient>=0.10' 'ipykernel>=6.29'
"$venv/bin/python" - "$root/docs/notebooks/profile.ipynb" <<'PYTHON'
import sys

import nbclient
import nbformat

nbclient.NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=300, kernel_name="python3").execute()
print("the notebook of the guide runs")
PYTHON
