#!/usr/bin/env python3
"""Holds the layers: patterns <- layout <- kernel <- dialect <- codegen <- runtime <- model <- tools.

    check-layering.py [ROOT]

A folder includes itself and what stands to its left. runtime/ and model/ see nothing of the compiler,
only kernel/, but for runtime/c, which chooses schedules (codegen/ChooseSchedule.h). MLIR and LLVM
headers belong to dialect/, codegen/ and tools/, yaml-cpp to one file of patterns/, CUDA's to runtime/cuda/. The reference (tests/reference) sees patterns/ alone, and what
random numbers are (kernel/Random.h); no folder but tools/ sees the reference. Prints each include that breaks a rule, with file and line;
exits 1 if there is one.
"""
import pathlib
import re
import sys

LAYERS = ["patterns", "layout", "kernel", "dialect", "codegen", "runtime", "model", "tools"]
# What tools and tests see of the compiler: they need no MLIR.
WITHOUT_MLIR = ("codegen/BlockRule.h", "codegen/ChooseBlock.h", "codegen/ChooseSchedule.h", "codegen/Compiler.h",
                "codegen/CompileTileProgram.h", "dialect/Operations.h")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def broken(path, quoted, header):
    """The rule that this include breaks, or None."""
    folder, inner = path.parts[0], path.parts[1:]
    if folder == "tests":
        if inner[0] != "reference":
            return None
        folder = "reference"
    if header.startswith(("mlir/", "llvm/", "llvm-c/", "mlir-c/")):
        if folder not in ("dialect", "codegen", "tools") or str(path) in WITHOUT_MLIR:
            return "MLIR and LLVM headers belong to dialect/, codegen/ and tools/"
    if header.startswith("yaml-cpp/") and folder != "patterns":
        return "yaml-cpp belongs to patterns/"
    if header.startswith(("cuda", "nvrtc", "nvJitLink", "nvPTX")) and path.parts[:2] != ("runtime", "cuda"):
        return "CUDA's headers belong to runtime/cuda/"
    if not quoted:
        return None
    target = header.split("/")[0]
    if header.startswith("tests/reference/"):
        return None if folder in ("tools", "reference") else "the reference is for tests and tools/ alone"
    if target == "tests":
        return "nothing includes from tests/"
    if target not in LAYERS:
        return None
    if folder == "reference" and header == "kernel/Random.h":
        return None
    if folder == "reference":
        allowed = ["patterns"]
    elif folder == "examples":
        allowed = ["runtime", "model"]
    else:
        allowed = LAYERS[: LAYERS.index(folder) + 1]
    if target not in allowed:
        return f"{folder}/ may not see {target}/"
    if path.parts[:2] == ("runtime", "c") and header in WITHOUT_MLIR:
        return None
    if folder in ("runtime", "model") and target in ("dialect", "codegen"):
        return f"{folder}/ sees nothing of the compiler, only kernel/"
    return None


MOST_LINES = 400


def is_code(line):
    line = line.strip()
    return line and not line.startswith("//")


def check(root):
    """Every broken rule of the tree as a line, and how many files were read."""
    violations, files, yaml_files = [], 0, set()
    for top in LAYERS + ["tests", "examples"]:
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cpp", ".inc"):
                continue
            files += 1
            path = file.relative_to(root)
            lines = file.read_text(errors="replace").splitlines()
            code = sum(1 for line in lines if is_code(line))
            if code > MOST_LINES:
                violations.append(f"{path}: {code} lines of code, at most {MOST_LINES}")
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                if match[2].startswith("yaml-cpp/"):
                    yaml_files.add(str(path))
                rule = broken(path, match[1] == '"', match[2])
                if rule:
                    violations.append(f"{path}:{number}: {match[2]}: {rule}")
    if len(yaml_files) > 1:
        violations.append("yaml-cpp is included by more than one file: " + ", ".join(sorted(yaml_files)))
    return violations, files


def main():
    violations, files = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(violations + [f"{files} files, {len(violations)} broken rules"]))
    return 1 if violations or not files else 0


if __name__ == "__main__":
    sys.exit(main())
