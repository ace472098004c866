"""./dev install: what it puts elsewhere runs there, and programs outside this tree build on it."""
import os
import pathlib
import re
import subprocess
import textwrap
import unittest

from command import SPARSEC, CommandTest

BUILD = pathlib.Path(SPARSEC).parents[1]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
HEADERS = ("sparsec.h", "sparsec.hpp")


class Install(CommandTest):
    def install(self):
        self.run_tool(os.environ["CMAKE"], "--install", BUILD, "--strip", "--prefix", self.folder / "prefix")
        return self.folder / "prefix"

    def test_the_installed_sparsec_finds_its_libraries(self):
        prefix = self.install()
        self.assertEqual([path.removeprefix("prefix/") for path, contents in sorted(self.tree().items())
                          if contents is not None and "/cmake/" not in path],
                         ["bin/sparsec", "include/sparsec/sparsec.h", "include/sparsec/sparsec.hpp",
                          "lib/libsparsec-compiler.so", "lib/libsparsec.so"])
        self.assertRegex(self.run_tool(prefix / "bin/sparsec", "--version"), "^sparsec ")
        self.run_tool(prefix / "bin/sparsec", "causal", "--target", "cpu,sm_80", "-o", "out")
        self.assertTrue((self.folder / "out/causal.forward.cpu.so").exists())

    def test_a_program_outside_the_tree(self):
        """examples/attention-in-cpp as its README says: by find_package, compiled there and compiled ahead."""
        prefix = self.install()
        self.run_tool("cmake", "-G", "Ninja", "-S", SOURCE / "examples/attention-in-cpp", "-B", "build",
                      f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
        self.run_tool("cmake", "--build", "build")
        cache = {"SPARSEC_CACHE": str(self.folder / "cache")}
        first = self.run_program("attention", cache)
        losses = [float(loss) for loss in re.findall(r"^loss (\d+\.\d+); \d+ blocks computed, \d+ skipped$", first, re.M)]
        self.assertEqual(len(losses), 2, first)
        self.assertLess(losses[1], losses[0])
        # What is stored needs no compiler, and gives the same.
        without = {"SPARSEC_COMPILER": "/nowhere/libsparsec-compiler.so"}
        self.assertEqual(self.run_program("attention", cache | without), first)
        code, out, err = self.run_binary("attention", without | {"SPARSEC_CACHE": "off"})
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"^the compiler cannot be opened: /nowhere/libsparsec-compiler\.so: cannot open shared object")
        # Nor do kernels that are linked; what a sparsec before this one compiled there is in nobody's way.
        compiled = self.folder / "build/kernels.kernels/compiled/window"
        (compiled / "sparsec.json").write_text('{"kind": "kernels", "version": "0.0.1"}')
        (compiled / "manifest.json").rename(compiled / "of-another-version.ptx")
        self.run_tool("cmake", "--build", "build")
        self.assertFalse((compiled / "of-another-version.ptx").exists())
        ahead = self.run_program("ahead", without | {"SPARSEC_CACHE": "off"})
        self.assertRegex(ahead, r"^n = 300: at most \d.* from 1\nn = 1000: at most \d.* from 1\n$")
        for furthest in re.findall(r"at most (\S+)", ahead):
            self.assertLess(float(furthest), 1e-6)

    def test_from_an_idea_to_its_times(self):
        """examples/patterns: each script as it stands, where nothing but an installed sparsec is."""
        path = f"{self.install() / 'bin'}:/usr/bin:/bin"
        for script, made in (("ladder", ("ladder.png", "times.png", "ladder/manifest.json")),
                             ("stereo-audio", ("stereo.png", "times.png", "stereo/stereo.h")),
                             ("documents", ("mask.npy", "packed/manifest.json"))):
            with self.subTest(script=script):
                folder = self.folder / script
                folder.mkdir()
                done = subprocess.run([SOURCE / f"examples/patterns/{script}.sh"], cwd=folder, text=True, capture_output=True,
                                      env={"PATH": path, "SPARSEC_CACHE": "off"})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(len(re.findall(r"^passed: (\d+) of \1 outputs within the bound$", done.stdout, re.M)), 1)
                for file in made:
                    self.assertGreater((folder / file).stat().st_size, 0, file)

    def test_the_readmes_program(self):
        """As it stands, in a project of the lines that the README has for it."""
        prefix = self.install()
        text = (SOURCE / "README.md").read_text()
        program = textwrap.dedent(re.search(r"^    #include <sparsec/sparsec.hpp>\n(?:    .*\n|\n)+?    }\n", text, re.M)[0])
        self.assertLessEqual(len(program.splitlines()), 30)
        self.write("program.cpp", program)
        lines = re.findall(r"^    (find_package\(sparsec|target_link_libraries\(program)(.*?\))", text, re.M)
        self.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(program LANGUAGES C CXX)\n"
                                     "set(CMAKE_CXX_STANDARD 20)\nadd_executable(program program.cpp)\n" + "\n".join(map("".join, lines)) + "\n")
        self.run_tool("cmake", "-G", "Ninja", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}",
                      "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
        self.run_tool("cmake", "--build", "build")
        self.assertEqual(self.run_program("program", {"SPARSEC_CACHE": str(self.folder / "cache")}), "out[0] = 0.5\n")

    def run_binary(self, name, environment):
        done = subprocess.run([self.folder / "build" / name], cwd=self.folder, text=True,
                                            capture_output=True, env=environment)
        return done.returncode, done.stdout, done.stderr

    def run_program(self, name, environment):
        code, out, err = self.run_binary(name, environment)
        self.assertEqual((code, err), (0, ""), out)
        return out

    def test_headers_compile_alone(self):
        for header in HEADERS:
            languages = [("c++", "c++20", ("g++", "clang++-22"))]
            if header.endswith(".h"):
                languages.append(("c", "c11", ("gcc", "clang-22")))
            self.write("use", f'#include "{SOURCE}/runtime/c/{header}"\n#include "{SOURCE}/runtime/c/{header}"\n')
            for language, standard, compilers in languages:
                for compiler in compilers:
                    self.run_tool(compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-pedantic-errors",
                                  "-Werror", "-fsyntax-only", "use")

    def test_what_the_libraries_need_and_show(self):
        declared = set(re.findall(r"\b(sparsec_\w+)\(", (SOURCE / "runtime/c/sparsec.h").read_text().split("#ifdef __cplusplus")[1]))
        needs = {}
        for name in ("libsparsec", "libsparsec-compiler"):
            file = BUILD / "lib" / f"{name}.so"
            needs[name] = re.findall(r"NEEDED.*\[(.*)\]", self.run_tool("readelf", "-d", file))
            shown = {line.split()[-1] for line in self.run_tool("nm", "-D", "--defined-only", file).splitlines()}
            self.assertEqual(shown, declared if name == "libsparsec" else {"sparsec_compiler_interface"})
        self.assertFalse([each for each in needs["libsparsec"] if re.search("LLVM|MLIR|lld|cuda|nvrtc|torch|python", each, re.I)])
        self.assertLessEqual({re.sub(r"\.so.*", "", each) for each in needs["libsparsec"]},
                             {"libtbb", "libfmt", "libyaml-cpp", "libstdc++", "libm", "libgcc_s", "libc", "libdl",
                              "libpthread", "ld-linux-x86-64"})


if __name__ == "__main__":
    unittest.main()
