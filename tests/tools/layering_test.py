"""check-layering.py finds each kind of include that breaks a rule, and nothing else."""
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).parents[2] / "tools" / "check-layering.py"


SPEC = importlib.util.spec_from_file_location("check_layering", CHECK)
MODULE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MODULE)


def tree(root, files):
    for name, text in files.items():
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check(files):
    """The broken rules of a tree with these files."""
    with tempfile.TemporaryDirectory() as root:
        tree(root, files)
        violations, read = MODULE.check(pathlib.Path(root))
        assert read == len(files)
        return violations


class Layering(unittest.TestCase):
    def refused(self, path, include, why):
        header = include.strip('<>"')
        self.assertEqual(check({path: f"// a comment\n#include {include}\n"}), [f"{path}:2: {header}: {why}"])

    def allowed(self, path, include):
        self.assertEqual(check({path: f"#include {include}\n"}), [])

    def test_layers(self):
        layers = ["patterns", "layout", "kernel", "dialect", "codegen", "runtime", "model", "tools"]
        for i, folder in enumerate(layers):
            for j, target in enumerate(layers):
                include = f'"{target}/X.h"'
                if j > i:
                    self.refused(f"{folder}/a/X.cpp", include, f"{folder}/ may not see {target}/")
                elif folder in ("runtime", "model") and target in ("dialect", "codegen"):
                    self.refused(f"{folder}/X.cpp", include,
                                 f"{folder}/ sees nothing of the compiler, only kernel/")
                else:
                    self.allowed(f"{folder}/X.h", include)
        self.allowed("runtime/X.cpp", '"kernel/Kernel.h"')

    def test_mlir(self):
        rule = "MLIR and LLVM headers belong to dialect/, codegen/ and tools/"
        for folder in ("patterns", "layout", "runtime", "model"):
            self.refused(f"{folder}/X.cpp", "<mlir/IR/Builders.h>", rule)
            self.refused(f"{folder}/X.h", '"llvm/ADT/APInt.h"', rule)
        for folder in ("dialect", "codegen/ptx", "tools/sparsec"):
            self.allowed(f"{folder}/X.cpp", "<mlir/IR/Builders.h>")
        self.refused("codegen/Compiler.h", "<llvm/ADT/APInt.h>", rule)
        self.refused("kernel/X.h", "<mlir/IR/Builders.h>", rule)

    def test_cuda(self):
        self.refused("runtime/X.cpp", "<cuda.h>", "CUDA's headers belong to runtime/cuda/")
        self.refused("codegen/X.cpp", "<nvrtc.h>", "CUDA's headers belong to runtime/cuda/")
        self.allowed("runtime/cuda/X.cpp", "<cuda.h>")

    def test_yaml(self):
        self.allowed("patterns/X.cpp", "<yaml-cpp/yaml.h>")
        self.refused("layout/X.cpp", "<yaml-cpp/yaml.h>", "yaml-cpp belongs to patterns/")
        both = {f"patterns/{name}.cpp": "#include <yaml-cpp/yaml.h>\n" for name in "AB"}
        self.assertEqual(check(both), ["yaml-cpp is included by more than one file: patterns/A.cpp, patterns/B.cpp"])

    def test_reference(self):
        self.refused("runtime/X.cpp", '"tests/reference/X.h"', "the reference is for tests and tools/ alone")
        self.refused("tests/reference/X.cpp", '"layout/X.h"', "reference/ may not see layout/")
        self.refused("codegen/X.cpp", '"tests/codegen/X.h"', "nothing includes from tests/")
        self.allowed("tools/verify/X.cpp", '"tests/reference/X.h"')
        self.allowed("tests/reference/X.cpp", '"patterns/Evaluate.h"')
        self.allowed("tests/reference/X.cpp", '"kernel/Random.h"')
        self.refused("tests/reference/X.cpp", '"kernel/Kernel.h"', "reference/ may not see kernel/")
        self.allowed("tests/runtime/X.cpp", '"tests/reference/X.h"')

    def test_length(self):
        code, rest = "int x;\n" * 400, "\n// a comment\n"
        self.assertEqual(check({"layout/X.cpp": rest + code + rest}), [])
        self.assertEqual(check({"layout/X.cpp": code + "int y;\n"}), ["layout/X.cpp: 401 lines of code, at most 400"])

    def test_exit_codes(self):
        for files, code, out in (
            ({"layout/X.h": '#include "patterns/Expr.h"\n'}, 0, "1 files, 0 broken rules\n"),
            ({"layout/X.h": '#include "model/X.h"\n'}, 1,
             "layout/X.h:1: model/X.h: layout/ may not see model/\n1 files, 1 broken rules\n"),
            ({}, 1, "0 files, 0 broken rules\n"),  # nothing was checked: no success
        ):
            with tempfile.TemporaryDirectory() as root:
                tree(root, files)
                run = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True)
                self.assertEqual((run.returncode, run.stdout), (code, out))


if __name__ == "__main__":
    unittest.main()
