"""What a pattern's kernels, constants and files are called: no two names are the same, and a split changes them."""
import json
import os
import re
import unittest

from command import CommandTest

COLLIDING = """\
name: p
heads:
  - {name: a, attend: causal}
  - {name: A, attend: "local(3)"}
  - {name: a_1, attend: "local(5)"}
  - {name: a-1, attend: "causal and (local(7) or every(9))", schedule: {split: always}}
  - {name: A_2, attend: "local(9 + h)"}
"""
LANGUAGES = (("gcc", "c", "c11"), ("g++", "c++", "c++20"))


class Names(CommandTest):
    def manifest(self):
        return json.loads((self.folder / "out/manifest.json").read_text())

    def constants(self, header):
        """Those of the pattern, in the order of the header; each there once."""
        found = re.findall(r"^#define (\w+) \S", (self.folder / "out" / header).read_text(), re.MULTILINE)
        self.assertEqual(len(set(found)), len(found), found)
        return found

    def compiles(self, text):
        """Alone, as C11 and as C++20, without a warning, with the folder among those that are searched for <...>."""
        for compiler, language, standard in LANGUAGES:
            self.write("use", text)
            self.run_tool(compiler, "-x", language, f"-std={standard}", "-Iout", "-Wall", "-Wextra", "-pedantic-errors",
                          "-Werror", "-fsyntax-only", "use")

    def test_names_that_differ_in_case_or_dashes_alone(self):
        path = self.write("p.yaml", COLLIDING)
        self.works(path, "--target", "cpu,sm_80", "-n", 100, "-q", "-o", "out")
        manifest = self.manifest()
        entries = [kernel["entry"] for kernel in manifest["kernels"] if kernel["target"] == "cpu"]
        own = [[f"{head}_forward", f"{head}_backward_delta", f"{head}_backward_dq", f"{head}_backward_dkv"]
               for head in ("p_a", "p_A_2", "p_a_1", "p_A_2_2")]
        parts = ["forward_part1", "forward_part2", "backward_part1_delta", "backward_part1_dq", "backward_part2_dq",
                 "backward_dkv_part1", "backward_dkv_part2"]
        self.assertEqual(entries, own[0] + own[1] + own[2] + [f"p_a_1_2_{part}" for part in parts] + own[3])
        files = os.listdir(self.folder / "out")
        self.assertEqual(len({name.lower() for name in files}), len(files), files)
        used = {kernel[key] for kernel in manifest["kernels"] for key in ("ptx", "shared_object", "object") if key in kernel}
        used |= {value for launch in manifest["layout"]["launches"] for value in launch.values() if isinstance(value, str)}
        self.assertEqual(sorted(used), sorted(set(files) - {"manifest.json", "sparsec.json", "p.h"}))
        constants = self.constants("p.h")
        prefixes = ("P_A", "P_A_2", "P_A_1", "P_A_1_2", "P_A_2_2")
        for i, prefix in enumerate(prefixes):
            self.assertLessEqual({f"{prefix}_HEAD_FIRST", f"{prefix}_FORWARD_CPU_PARTS", f"{prefix}_FORWARD_SM_80_PARTS",
                                  f"{prefix}_BACKWARD_CPU_PARTS", f"{prefix}_BACKWARD_DKV_CPU_PARTS"}, set(constants))
        self.compiles('#include <p.h>\n#include <p.h>\n'
                      + "".join(f"void (*f{i})(const {entry}_arguments *, int32_t, int32_t, int32_t, void *) = {entry};\n"
                                for i, entry in enumerate(entries))
                      + "int first[] = {" + ", ".join(f"{prefix}_HEAD_FIRST" for prefix in prefixes) + "};\n")
        for i, prefix in enumerate(prefixes):
            self.compiles(f'#include "out/p.h"\n#if {prefix}_HEAD_FIRST != {i} || {prefix}_FORWARD_CPU_PARTS != {1 + (i == 3)}\n'
                          "#error\n#endif\nint used;\n")

    def test_no_header_takes_the_place_of_a_systems(self):
        for name, header in (("stdint", "stdint_kernels.h"), ("StdInt", "StdInt_kernels.h"), ("features", "features_kernels.h"),
                             ("int", "int.h"), ("manifest", "manifest.h")):
            path = self.write("p.yaml", f"name: {name}\nheads: [{{attend: causal}}]\n")
            self.works(path, "--target", "cpu", "-q", "-o", "out")
            self.assertEqual([each for each in os.listdir(self.folder / "out") if each.endswith(".h")], [header])
            self.compiles(f"#include <stdint.h>\n#include <{header}>\n"
                          f"int32_t kernel = {name.upper()}_HEAD0_FORWARD_CPU_BLOCK_Q;\n"
                          f"void *use(void);\nvoid *use(void) {{ {name}_head0_forward(0, 0, 0, 0, 0); return 0; }}\n")

    def test_a_split_changes_the_names(self):
        """What was compiled for one kernel does not find a part of three in its place."""
        names = {}
        path = self.write("p.yaml", "name: p\nheads:\n  - attend: causal and (local(64) or every(64) or k < 8)\n")
        for split, parts, count in (("never", 1, 4), ("always", 3, 10)):  # the first of backward's parts has two
            self.works(path, "--target", "cpu", "-n", 512, "--split", split, "-q", "-o", "out")
            kernels = self.manifest()["kernels"]
            self.assertEqual(len(kernels), count)
            constants = self.constants("p.h")
            self.compiles(f'#include "out/p.h"\n#if P_HEAD0_FORWARD_CPU_PARTS != {parts}\n#error\n#endif\nint used;\n')
            symbols = [line.split()[-1] for kernel in kernels
                       for line in self.run_tool("nm", "-g", "--defined-only", f"out/{kernel['object']}").splitlines()]
            for kernel in kernels:
                self.assertIn(kernel["entry"], symbols)
            names[split] = (set(symbols), {name for name in constants if re.search("_(FORWARD|BACKWARD)_", name) and not name.endswith("_PARTS")},
                            set(os.listdir(self.folder / "out")) - {"manifest.json", "sparsec.json", "p.h"})
        for before, after in zip(names["never"], names["always"]):
            self.assertTrue(before and after)
            self.assertEqual(before & after, set())


if __name__ == "__main__":
    unittest.main()
