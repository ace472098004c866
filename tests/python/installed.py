"""The tests of the Python package on a wheel, where there is no build: on a GPU machine, say, with only torch and g++.

    python3 tests/python/installed.py build/sparsec-*.whl [--device cuda] [-k PART] [FILE...]
    python3 tests/python/installed.py --device cuda             on the package that this python imports by itself

Those of torch and transformers, of arrays that lie on the device, and the examples take the device; others run as in a build.
Prints a line a file; ends with exit 1 if a test failed. What is left out says why. The checkout beside this file is used for the
tests and the examples alone.
"""
import argparse
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
# What each file needs; wheel_test.py is of a build.
FILES = {"interface_test.py": [], "array_test.py": ["numpy"], "examples_test.py": ["numpy"], "device_test.py": ["torch", "numpy"],
         "torch_test.py": ["torch", "numpy"], "run_test.py": ["torch"], "transformers_test.py": ["torch", "transformers"]}


def unpack(wheel, folder):
    """Where the package of a wheel lies, with the modes that pip gives."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        for entry in archive.infolist():
            if entry.external_attr >> 16 & 0o100:
                (folder / entry.filename).chmod(0o755)
    return folder


def environment_of(site, device):
    """That of a user, but for the device and, of a wheel, where the package is."""
    mine = {name: value for name, value in os.environ.items() if name not in ("SPARSEC_LIBRARY", "SPARSEC_BUILD", "SPARSEC_FAKE_DRIVER")}
    if site is None:
        package = pathlib.Path(importlib.util.find_spec("sparsec").origin).parent
    else:
        package = site / "sparsec"
        mine["PYTHONPATH"] = str(site)
    return {**mine, "SPARSEC_PROGRAM": str(package / "bin/sparsec"), "SPARSEC_TEST_DEVICE": device}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arguments", nargs="*", metavar="WHEEL|FILE")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("-k", help="only tests with this in their name")
    options = parser.parse_args()
    wheels = [each for each in options.arguments if each.endswith(".whl")]
    chosen = [each for each in options.arguments if each not in wheels] or list(FILES)
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        site = unpack(wheels[0], pathlib.Path(temporary)) if wheels else None
        environment = environment_of(site, options.device)
        for file in chosen:
            missing = [module for module in FILES[file] if importlib.util.find_spec(module) is None]
            if missing:
                print(f"{file}: skipped: {sys.executable} has no {' and no '.join(missing)}", flush=True)
                continue
            begin = time.monotonic()
            command = [sys.executable, "-B", HERE / file, "-v", *(["-k", options.k] if options.k else [])]
            done = subprocess.run(command, cwd=HERE, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            lines = done.stdout.splitlines()
            good = done.returncode in (0, 5)  # 5: no test has that in its name
            print(f"{file}: {'ok' if good else 'FAILED'}, {time.monotonic() - begin:.0f} s", flush=True)
            print("".join(f"    {line}\n" for line in lines if not good or "skipped" in line), end="", flush=True)
            if not good:
                failed.append(file)
    print("failed: " + " ".join(failed) if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
