#!/usr/bin/env bash
# Runs the tests of the C code under the address and undefined-behaviour sanitisers, some ten minutes: make sanitize
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT

"${PYTHON:-python3}" -m venv "$venv"
# From a copy: a build in the tree would put its extensions where an editable install finds them.
git archive --format=tar HEAD | { mkdir "$venv/source" && tar -x -C "$venv/source"; }
export CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$venv/source[all]" \
    'pytest>=8.2' 'pytest-timeout>=2.3' 'pytest-xdist>=3.5' 'hypothesis>=6.100' 'viztracer>=1.0' 'jsonschema>=4.18' 'protobuf>=5.26'

# The C++ library's demangler gives memory back past the sanitiser's allocator: names stay mangled here.
mkdir "$venv/instead"
printf 'class Error(Exception):\n    pass\n\n\ndef demangle(name):\n    return name\n' >"$venv/instead/cxxfilt.py"
export PYTHONPATH=$venv/instead
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export LD_PRELOAD
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
# In the copy without its modules, which would be found before those that are installed.
cd "$venv/source"
find workbench -name '*.py' -delete
# Not those that use up all memory, which the sanitisers need themselves, nor those of the recorder without C.
"$venv/bin/pytest" -q -n 2 -p no:cacheprovider -m 'not proof' --timeout 600 \
    tests/scopes tests/trainer/kernels tests/trainer/jacobians/test_jacobian.py \
    -k 'not MemoryError and not no_memory_left and not recorder_in_python' "$@"
