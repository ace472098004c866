"""Runs a test file under the interpreter of the tests; exits 77, and says why, where that lacks a module.

    run.py PYTHON FILE MODULE...
"""
import os
import subprocess
import sys


def main():
    python, file, *modules = sys.argv[1:]
    python = os.environ.get("SPARSEC_TEST_PYTHON") or python
    for module in modules:
        if subprocess.run([python, "-B", "-c", f"import {module}"], capture_output=True, check=False).returncode:
            print(f"skipped: {python} cannot import {module}; SPARSEC_TEST_PYTHON names another (tests/python/CMakeLists.txt)")
            return 77
    return subprocess.run([python, "-B", file], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
