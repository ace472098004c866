"""The wheel: its tag, its size, its parts, and that the package in it runs as it is.

Of the build that SPARSEC_BUILD names. ctest names its own, which is for this machine alone; ./dev wheel the one that is given away.
"""
import base64
import hashlib
import os
import pathlib
import re
import stat
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import wheel_of_build  # noqa: E402


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.wheel = wheel_of_build.make(pathlib.Path(os.environ["SPARSEC_BUILD"]), cls.folder)
        with zipfile.ZipFile(cls.wheel) as wheel:
            wheel.extractall(cls.folder / "site")
            cls.entries = {entry.filename: entry for entry in wheel.infolist()}
        for name, entry in cls.entries.items():  # as pip does
            mode = entry.external_attr >> 16
            (cls.folder / "site" / name).chmod(0o755 if stat.S_ISREG(mode) and mode & 0o111 else 0o644)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_the_tag_is_what_the_files_need(self):
        files = [self.folder / "site" / name for name in wheel_of_build.FILES.values()]
        needed = set()
        for file in files:
            needed |= set(re.findall(r"\[(lib.*)\]", subprocess.run(["readelf", "-d", file], check=True, text=True,
                                                                    capture_output=True).stdout))
        name = re.fullmatch(r"sparsec-[\d.]+-py3-none-(\w+)\.whl", self.wheel.name)
        if any(re.match(r"lib(LLVM|MLIR|fmt|tbb|yaml-cpp|stdc\+\+)", each) for each in needed):  # a build for this machine alone
            self.assertRegex(name[1], r"^linux_x86_64$")
            self.assertRegex("\n".join(wheel_of_build.faults(self.wheel)), "which manylinux machines may lack")
        else:
            self.assertRegex(name[1], r"^manylinux_2_(1[7-9]|2\d|3[0-5])_x86_64$")
            self.assertEqual(wheel_of_build.faults(self.wheel), [])

    def test_a_tag_of_manylinux_is_the_newest_glibc(self):
        """Of a library that needs libc alone."""
        source = self.folder / "one.c"
        source.write_text("#include <math.h>\n#include <pthread.h>\nint f(pthread_t t, double x) { return pthread_join(t, 0) + (int)exp(x); }\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.folder / "one.so", source, "-lm"], check=True)
        tag, foreign = wheel_of_build.tag_of([self.folder / "one.so"])
        self.assertEqual((tag, foreign), ("manylinux_2_34_x86_64", []))  # pthread_join moved into libc in 2.34

    def test_every_file_is_recorded_and_nothing_else_is_there(self):
        [record] = [name for name in self.entries if name.endswith(".dist-info/RECORD")]
        lines = (self.folder / "site" / record).read_text().splitlines()
        recorded = {}
        for line in lines:
            name, digest, size = line.rsplit(",", 2)
            recorded[name] = digest, size
        self.assertEqual(set(recorded), set(self.entries))
        for name, (digest, size) in recorded.items():
            if name != record:
                data = (self.folder / "site" / name).read_bytes()
                self.assertEqual(digest, "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode())
                self.assertEqual(int(size), len(data))
        package = {str(path.relative_to(ROOT / "python")) for path in (ROOT / "python/sparsec").rglob("*.py")}
        self.assertEqual({name for name in self.entries if ".dist-info/" not in name},
                         package | {"sparsec/py.typed", *wheel_of_build.FILES.values()})

    def test_the_package_in_it_runs(self):
        """Compiles, by the libraries beside it."""
        site = self.folder / "site"
        code = "import sparsec; print(sparsec.compile('local', head_dim=16, operations='forward', device='cpu')); " \
               "print(sparsec.stats('causal', 64)['heads'][0]['elements'])"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARSEC_")}
        done = subprocess.run([sys.executable, "-B", "-c", code], env={**environment, "PYTHONPATH": str(site)}, cwd=self.folder,
                              text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "<sparsec.Attention local: f32, head dim 16, on cpu>\n2080\n"), done.stderr)

    def test_pip_would_take_it(self):
        """What a build frontend asks of the backend."""
        info = wheel_of_build.prepare_metadata_for_build_wheel(str(self.folder))
        self.assertIn(f"Version: {wheel_of_build.version()}\n", (self.folder / info / "METADATA").read_text())
        self.assertEqual(wheel_of_build.get_requires_for_build_wheel(), [])


if __name__ == "__main__":
    unittest.main()
