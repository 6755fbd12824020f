#!/bin/sh
# Finds a Python that the locks are made for and hands over to tools/environments.py.
# PYTHON=/path/to/python overrides the search. Nothing but POSIX sh is assumed here.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
check='import sys, ssl, sqlite3, venv; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)))'

if [ -n "${PYTHON:-}" ]; then
    # An explicit choice is obeyed or refused, never replaced by another.
    "$PYTHON" -c "$check" 2>/dev/null || {
        echo "setup: PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13 with ssl, sqlite3 and venv" >&2
        exit 1
    }
    exec "$PYTHON" "$root/tools/environments.py" --rebuild-for-other-python "$@"
fi

for candidate in python3 python3.12 python3.13 python3.11 /usr/bin/python3 /usr/local/bin/python3; do
    # Running it is the only sure test: version managers put shims on PATH that only print an error.
    if "$candidate" -c "$check" 2>/dev/null; then
        exec "$candidate" "$root/tools/environments.py" "$@"
    fi
done
echo "setup: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python setup" >&2
exit 1
