"""Makes the wheel: a build backend (PEP 517) of a hundred lines, since there is nothing to compile for Python.

    ./dev wheel                                     build/sparsec-VERSION-py3-none-manylinux_2_NN_x86_64.whl
    pip install ./python                            the same, installed
    SPARSEC_BUILD=build/dev pip install ./python    with the libraries of a build that is there

The wheel holds the package, libsparsec, libsparsec-compiler and the program sparsec. Its tag is what those files need: of
manylinux the newest glibc that any of them asks for, where they need nothing that a manylinux machine may lack; else linux.
"""
import base64
import hashlib
import os
import pathlib
import re
import stat
import subprocess
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FILES = {"lib/libsparsec.so": "sparsec/lib/libsparsec.so",
         "lib/libsparsec-compiler.so": "sparsec/lib/libsparsec-compiler.so",
         "bin/sparsec": "sparsec/bin/sparsec"}
# What PEP 600 allows of other libraries, as far as sparsec may want it.
EVERYWHERE = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2"}
MOST_UNPACKED, MOST_PACKED = 100 << 20, 30 << 20  # bytes
TIME = (2026, 1, 1, 0, 0, 0)  # of every file, so that equal files make equal wheels


def version():
    return re.search(r"project\(sparsec VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *map(str, arguments)], check=True, text=True, capture_output=True).stdout


def tag_of(files):
    """(platform tag, what keeps it from being manylinux)"""
    machine = os.uname().machine
    names, newest, foreign = {path.name for path in files}, (2, 17), set()
    for path in files:
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", path)))
        foreign |= needed - EVERYWHERE - names
        versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", readelf("-V", path))
        newest = max([newest, *((int(major), int(minor)) for major, minor in versions)])
    if foreign:
        return f"linux_{machine}", sorted(foreign)
    return f"manylinux_{newest[0]}_{newest[1]}_{machine}", []


def build_folder():
    """Where the files are, built: $SPARSEC_BUILD, else the static preset."""
    if named := os.environ.get("SPARSEC_BUILD"):
        return pathlib.Path(named).resolve()
    folder = ROOT / "build/static"
    if not (folder / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "static"], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", folder, "--target", "wheel-files"], check=True)
    return folder / "wheel"


def contents(build, stripped):
    """(name in the wheel, bytes, is a program) of all but the metadata."""
    package = HERE / "sparsec"
    for path in sorted(package.rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield f"sparsec/{path.relative_to(package)}", path.read_bytes(), False
    for source, name in FILES.items():
        yield name, (stripped / pathlib.Path(source).name).read_bytes(), name.startswith("sparsec/bin/")


def metadata():
    info = f"sparsec-{version()}.dist-info"
    project = (HERE / "pyproject.toml").read_text()
    lines = ["Metadata-Version: 2.1", "Name: sparsec", f"Version: {version()}",
             "Summary: " + re.search(r'description = "(.*)"', project)[1],
             "Requires-Python: " + re.search(r'requires-python = "(.*)"', project)[1]]
    for name, requirement in re.findall(r'^(\w+) = \["(.*)"\]', project.split("optional-dependencies]")[1], re.M):
        lines += [f"Provides-Extra: {name}", f'Requires-Dist: {requirement} ; extra == "{name}"']
    return info, {"METADATA": "\n".join(lines) + "\n",
                  "entry_points.txt": "[console_scripts]\nsparsec = sparsec._command:main\n", "top_level.txt": "sparsec\n"}


def make(build, folder):
    """Writes the wheel of a build's files into a folder; its path."""
    with tempfile.TemporaryDirectory() as temporary:
        stripped = pathlib.Path(temporary)
        for source in FILES:
            subprocess.run([os.environ.get("STRIP", "strip"), "-o", stripped / pathlib.Path(source).name, build / source], check=True)
        tag, _ = tag_of(sorted(stripped.iterdir()))
        path = pathlib.Path(folder) / f"sparsec-{version()}-py3-none-{tag}.whl"
        info, texts = metadata()
        texts["WHEEL"] = f"Wheel-Version: 1.0\nGenerator: sparsec\nRoot-Is-Purelib: false\nTag: py3-none-{tag}\n"
        records = []
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
            def add(name, data, is_program=False):
                entry = zipfile.ZipInfo(name, TIME)
                entry.external_attr = (stat.S_IFREG | (0o755 if is_program else 0o644)) << 16  # pip asks for both
                entry.compress_type = zipfile.ZIP_DEFLATED
                wheel.writestr(entry, data)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                records.append(f"{name},sha256={digest},{len(data)}")
            for each in contents(build, stripped):
                add(*each)
            for name, text in texts.items():
                add(f"{info}/{name}", text.encode())
            record = "\n".join([*records, f"{info}/RECORD,,", ""])
            wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD", TIME), record)
    return path


def faults(path):
    """What is wrong with a wheel that is to be published."""
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        unpacked = sum(entry.file_size for entry in wheel.infolist())
        files = [pathlib.Path(wheel.extract(name, folder)) for name in FILES.values()]
        tag, foreign = tag_of(files)
    packed = path.stat().st_size
    return [text for text, wrong in [
        (f"its tag is not {tag}", not path.name.endswith(f"-py3-none-{tag}.whl")),
        (f"it needs {', '.join(foreign)}, which manylinux machines may lack", foreign),
        (f"{unpacked >> 20} MB unpacked, at most {MOST_UNPACKED >> 20}", unpacked > MOST_UNPACKED),
        (f"{packed >> 20} MB packed, at most {MOST_PACKED >> 20}", packed > MOST_PACKED)] if wrong]


# ---- PEP 517 ----

def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    info, texts = metadata()
    folder = pathlib.Path(metadata_directory) / info
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return info


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return make(build_folder(), wheel_directory).name


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("sparsec is built from its repository: pip install ./python")


def main():
    """./dev wheel"""
    path = make(build_folder(), ROOT / "build")
    size = path.stat().st_size / 1e6
    with zipfile.ZipFile(path) as wheel:
        unpacked = sum(entry.file_size for entry in wheel.infolist()) / 1e6
    print(f"{path}: {size:.1f} MB, {unpacked:.1f} unpacked")
    wrong = faults(path)
    for text in wrong:
        print(f"error: {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
