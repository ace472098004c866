"""The output folder: what is in it, and that it is written whole or not at all."""
import ctypes
import hashlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time
import unittest

from command import ENVIRONMENT, SPARSEC, CommandTest

WHY = "note: an output folder is replaced whole, so only one that sparsec wrote is taken\n"
C_TYPES = {"pointer": ctypes.c_void_p, "i64": ctypes.c_int64, "i32": ctypes.c_int32, "f32": ctypes.c_float}


class Folder(CommandTest):
    def manifest(self, folder):
        return json.loads((self.folder / folder / "manifest.json").read_text())

    def test_files(self):
        self.works("strided")
        self.assertEqual(sorted(os.listdir(self.folder)), ["strided.kernels"])
        self.assertEqual(sorted(os.listdir(self.folder / "strided.kernels")),
                         [f"column.{kernels}.sm_80.ptx" for kernels in ("backward", "backward_dkv", "forward")] + ["manifest.json"]
                         + [f"row.{kernels}.sm_80.ptx" for kernels in ("backward", "backward_dkv", "forward")]
                         + ["sparsec.json", "strided.h"])
        mark = json.loads((self.folder / "strided.kernels/sparsec.json").read_text())
        self.assertEqual(mark["kind"], "kernels")
        self.assertEqual(mark["version"], self.works("--version").split()[1])

    def test_manifest(self):
        self.works("strided", "--param", "l=96", "--heads", "5", "--head-dim", "80", "--value-dim", "48", "-o", "out",
                   "--target", "sm_80,sm_90", "--dtype", "f16")
        m = self.manifest("out")
        self.assertEqual((m["format"], m["dtype"], m["head_dim"], m["value_dim"]), (3, "f16", 80, 48))
        self.assertEqual((m["heads"], m["kv_heads"]), (5, 5))
        self.assertEqual([(h["name"], h["head_first"], h["head_step"], h["head_count"]) for h in m["pattern_heads"]],
                         [("row", 0, 2, 3), ("column", 1, 2, 2)])
        self.assertEqual(m["pattern"]["params"], {"l": 96})
        self.assertEqual(m["pattern"]["source"], self.works("zoo", "strided"))
        self.assertEqual(m["pattern"]["resolved"], self.works("explain", "strided", "--param", "l=96", "--after=pattern"))
        self.assertEqual(m["pattern"]["sha256"], hashlib.sha256(m["pattern"]["resolved"].encode()).hexdigest())
        self.assertEqual(sorted((k["entry"], k["target"]) for k in m["kernels"]),
                         [(f"strided_{head}_{kernel}", sm) for head in ("column", "row")
                          for kernel in ("backward_delta", "backward_dkv", "backward_dq", "forward") for sm in ("sm_80", "sm_90")])
        self.assertEqual([{sm: {operation: [m["kernels"][i]["entry"] for i in kernels] for operation, kernels in each.items()}
                           for sm, each in head["kernels"].items()} for head in m["pattern_heads"]],
                         [{sm: {"forward": [f"strided_{head}_forward"],
                                "backward": [f"strided_{head}_backward_{kernel}" for kernel in ("delta", "dq", "dkv")]}
                           for sm in ("sm_80", "sm_90")} for head in ("row", "column")])
        for kernel in m["kernels"]:
            ptx = (self.folder / "out" / kernel["ptx"]).read_text()
            self.assertIn(f".entry {kernel['entry']}(", ptx)
            self.assertIn(f".target {kernel['target']}", ptx)
            self.assertRegex(ptx, rf"\.(max|req)ntid {kernel['threads']}\b")
            self.assertFalse(kernel["uses_head"])
            self.assertNotIn("cubin", kernel)

    def test_manifest_and_header_agree(self):
        """The structs of the header, compiled as C and as C++, have the fields and offsets of the manifest."""
        self.works("local", "-o", "out")
        checks = ""
        for kernel in self.manifest("out")["kernels"]:
            arguments = kernel["arguments"]
            self.assertEqual(arguments["struct"], kernel["entry"] + "_arguments")
            fields = [(f["name"], C_TYPES[f["type"]] * f["count"] if f["count"] > 1 else C_TYPES[f["type"]])
                      for f in arguments["fields"]]
            struct_type = type("Arguments", (ctypes.Structure,), {"_fields_": fields})
            self.assertEqual(ctypes.sizeof(struct_type), arguments["size"])
            for f in arguments["fields"]:
                self.assertEqual(getattr(struct_type, f["name"]).offset, f["offset"], f["name"])
            checks += "".join(f"CHECK(offsetof({arguments['struct']}, {f['name']}) == {f['offset']});\n"
                              for f in arguments["fields"])
            checks += f"CHECK(sizeof({arguments['struct']}) == {arguments['size']});\n"
        for language, std, check in (("c", "c11", "_Static_assert"), ("c++", "c++11", "static_assert")):
            self.write("use", f'#include "out/local.h"\n#include "out/local.h"\n#define CHECK(x) {check}(x, #x)\n{checks}'
                              "const char *entry = LOCAL_LOCAL_FORWARD_SM_80_ENTRY;\n"
                              "int parts[] = {LOCAL_LOCAL_BACKWARD_SM_80_PARTS, LOCAL_LOCAL_BACKWARD_DKV_SM_80_PARTS,\n"
                              "LOCAL_LOCAL_BACKWARD_DELTA_SM_80_THREADS, LOCAL_LOCAL_BACKWARD_DQ_SM_80_SHARED_BYTES,\n"
                              "LOCAL_LOCAL_BACKWARD_DKV_SM_80_BLOCK_K};\n"
                              "int shape[] = {LOCAL_LOCAL_FORWARD_SM_80_BLOCK_Q, LOCAL_LOCAL_FORWARD_SM_80_BLOCK_K,\n"
                              "LOCAL_LOCAL_FORWARD_SM_80_THREADS, LOCAL_LOCAL_FORWARD_SM_80_SHARED_BYTES};\n")
            done = subprocess.run(["g++" if language == "c++" else "gcc", "-x", language, f"-std={std}", "-Wall",
                                   "-Wextra", "-pedantic-errors", "-Werror", "-fsyntax-only", "use"],
                                  cwd=self.folder, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_equal_heads_share_a_kernel(self):
        self.write("p.yaml", "name: p\nheads:\n  - {name: a, attend: causal}\n  - {name: b, attend: k <= q}\n"
                             "  - {name: c, attend: causal and local(8)}\n")
        self.works("./p.yaml", "-o", "out")
        self.assertEqual([(k["ptx"], k["pattern_heads"]) for k in self.manifest("out")["kernels"]],
                         [(f"{head}.{kernels}.sm_80.ptx", entries) for head, entries in (("a", [0, 1]), ("c", [2]))
                          for kernels in ("forward", "backward", "backward", "backward_dkv")])

    def test_operations(self):
        """One operation alone has its kernels, its text and its counts alone."""
        self.works("local", "-o", "out")
        both = (self.folder / "out/local.h").read_text()
        self.assertNotIn("decode", both.lower())
        for operation, files in (("forward", ["forward"]), ("backward", ["backward", "backward_dkv"]), ("decode", ["decode"]), ("mass", ["mass"])):
            report = json.loads(self.works("local", "--op", operation, "-o", "out", "--json"))
            self.assertEqual(sorted(os.listdir(self.folder / "out")),
                             sorted([f"local.{file}.sm_80.ptx" for file in files] + ["local.h", "manifest.json", "sparsec.json"]))
            self.assertEqual({kernel["operation"] for kernel in self.manifest("out")["kernels"]}, {operation})
            self.assertEqual("predicted_ms" in report["heads"][0], operation == "forward")
            text = (self.folder / "out/local.h").read_text()
            for name, about in (("backward", "Backward: dq, dk and dv"), ("decode", "Decode: nq new queries"), ("mass", "Mass: grid = (ITEMS")):
                self.assertEqual(name in report["heads"][0], operation == name)
                self.assertEqual(f" * {about}" in text, operation == name)
            if operation in ("forward", "backward"):
                self.assertLessEqual({line for line in text.splitlines() if line.startswith("#define LOCAL_LOCAL_")},
                                     set(both.splitlines()))

    def test_a_block_that_backward_cannot_have(self):
        self.refuses(1, "error: backward: a block of 64x64 at head dim 256 and value dim 256 in f16 needs 196608 bytes of shared "
                     "memory, sm_80 has 166912; 64x16 fits; --op forward does without\n",
                     "causal", "--dtype", "f16", "--head-dim", "256", "--block", "64")

    def test_what_launches_of_backward_need(self):
        """Each pass in its own order; the kernels of a part share their numbers; the kv heads are the launch's groups."""
        self.works("strided", "-n", "4096", "--block", "64x32", "--heads", "8", "--kv-heads", "4", "-o", "out")
        manifest = self.manifest("out")
        kernels = manifest["kernels"]
        launches = [(kernels[each["kernel"]]["entry"].removeprefix("strided_"), each) for each in manifest["layout"]["launches"]]
        names = ("forward", "backward_delta", "backward_dq", "backward_dkv")
        self.assertEqual([name for name, _ in launches], [f"{head}_{name}" for head in ("row", "column") for name in names])
        for name, launch in launches:
            keys = name.endswith("dkv")
            self.assertEqual(launch["grid"], [launch["key_tiles"], 4] if keys else [launch["query_tiles"], 4])
            self.assertEqual(launch["grid"][0], 128 if keys else 64, name)
            self.assertEqual("groups" in launch, keys)
        of = dict(launches)
        for head in ("row", "column"):
            delta, dq = of[f"{head}_backward_delta"], of[f"{head}_backward_dq"]
            self.assertEqual({**delta, "kernel": 0}, {**dq, "kernel": 0})
            self.assertNotEqual(dq["row_forms"], of[f"{head}_backward_dkv"]["row_forms"])
        # Heads 0 2 4 6 are row's and give first; 1 3 5 7 are column's.
        self.assertEqual(self.numbers(of["row_backward_dkv"]["groups"]), (0, 0, 1, 2, 1, 1, 1, 2, 2, 2, 1, 2, 3, 3, 1, 2))
        self.assertEqual(self.numbers(of["column_backward_dkv"]["groups"]), (0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 3, 3, 1, 1))
        self.assertEqual(manifest["layout"]["workspaces"],
                         {"delta": {"heads": 8, "rows": 4096, "columns": 1},
                          "dk_sums": {"heads": 4, "rows": 4096, "columns": 64},
                          "dv_sums": {"heads": 4, "rows": 4096, "columns": 64}})
        header = (self.folder / "out/strided.h").read_text()
        for line in ("STRIDED_DELTA_FLOATS 32768", "STRIDED_DQ_SUMS_FLOATS 0", f"STRIDED_DK_SUMS_FLOATS {4 * 4096 * 64}",
                     "STRIDED_ROW_BACKWARD_DKV_SM_80_KEY_TILES 128", "STRIDED_ROW_BACKWARD_DKV_SM_80_GROUP_COUNT 4",
                     'STRIDED_ROW_BACKWARD_DKV_SM_80_GROUPS "row.backward_dkv.sm_80.groups.i32"'):
            self.assertIn(f"#define {line}\n", header)
        # Every head has keys of its own: nothing meets.
        self.works("strided", "-n", "4096", "--heads", "8", "-o", "out")
        self.assertEqual(list(self.manifest("out")["layout"]["workspaces"]), ["delta"])

    def test_what_launches_of_decode_and_mass_need(self):
        """Rows of single queries in slices, heads of a kv head in groups, sums of the parts side by side; blocks as a list."""
        self.works("strided-merged", "-n", "4096", "--heads", "6", "--kv-heads", "2", "--split", "always", "--op", "decode,mass", "-o", "out")
        manifest = self.manifest("out")
        of = {manifest["kernels"][each["kernel"]]["entry"].removeprefix("strided_merged_merged_"): each
              for each in manifest["layout"]["launches"]}
        self.assertEqual(list(of), ["decode_part1", "decode_part2", "decode_part2_merge", "mass"])
        first, second, merge = (of[name] for name in ("decode_part1", "decode_part2", "decode_part2_merge"))
        self.assertEqual([first[name] for name in ("first_slot", "whole", "group_count", "group_heads", "most")], [0, 0, 2, 3, 4096])
        self.assertEqual(second["first_slot"], first["slices"])
        self.assertEqual(merge["slots"], first["slices"] + second["slices"])
        self.assertEqual([each["grid"] for each in (first, second, merge)],
                         [[2 * first["slices"], 1], [2 * second["slices"], 1], [2, 1]])
        self.assertEqual([each["items"] for each in of.values()], [each["grid"][0] for each in of.values()])
        self.assertEqual(self.numbers(first["groups"]), (0, 0, 3, 1, 3, 3))
        self.assertNotIn("slices", merge)
        self.assertNotIn("slots", first)
        self.assertEqual(manifest["layout"]["workspaces"],
                         {"part_out": {"heads": 6, "rows": merge["slots"], "columns": 64},
                          "part_max": {"heads": 6, "rows": merge["slots"], "columns": 1},
                          "part_sum": {"heads": 6, "rows": merge["slots"], "columns": 1}})
        kernels = {kernel["entry"].removeprefix("strided_merged_merged_"): kernel for kernel in manifest["kernels"]}
        for name in ("decode_part1", "decode_part2_merge"):
            self.assertEqual((kernels[name]["reads_prior"], kernels[name]["out_dtype"], kernels[name]["grid"]["work"]),
                             (False, "bf16", "range of queries"))
        blocks = self.numbers(of["mass"]["blocks"])
        self.assertEqual(len(blocks), 3 * of["mass"]["per_batch"])
        triples = list(zip(*[iter(blocks)] * 3))
        self.assertEqual(triples, sorted(triples))
        self.assertEqual({head for head, _, _ in triples}, set(range(6)))
        stats = json.loads(self.works("strided-merged", "-n", "4096", "--op", "mass", "-o", "mass", "--json"))["heads"][0]["mass"]
        self.assertEqual(len(triples), 6 * stats["passes"][0]["blocks"]["live"])
        header = (self.folder / "out/strided_merged.h").read_text()
        prefix = "STRIDED_MERGED_MERGED_"
        for line in (f"{prefix}DECODE_SM_80_PARTS 2", f"{prefix}DECODE_PART1_SM_80_ITEMS {first['items']}",
                     f"{prefix}DECODE_PART2_SM_80_FIRST_SLOT {first['slices']}", f"{prefix}DECODE_PART2_MERGE_SM_80_SLOTS {merge['slots']}",
                     f"STRIDED_MERGED_PART_OUT_FLOATS {6 * merge['slots'] * 64}", f"STRIDED_MERGED_PART_SUM_FLOATS {6 * merge['slots']}",
                     f"{prefix}MASS_SM_80_PER_BATCH {of['mass']['per_batch']}", f'{prefix}MASS_SM_80_BLOCKS "merged.mass.sm_80.blocks.i32"'):
            self.assertIn(f"#define {line}\n", header)
        # One slot in all: nothing meets, and there is nothing to merge.
        self.works("local", "-n", "64", "--op", "decode", "-o", "out")
        fold, merge = self.manifest("out")["layout"]["launches"]
        self.assertEqual((fold["whole"], fold["slices"], fold["items"], merge["items"]), (1, 1, 1, 0))
        self.assertEqual(self.manifest("out")["layout"]["workspaces"], {})
        for language, std in (("c", "c11"), ("c++", "c++11")):
            self.write("use", '#include "out/local.h"\nint most[] = {LOCAL_LOCAL_DECODE_SM_80_MOST, LOCAL_LOCAL_DECODE_MERGE_SM_80_ITEMS};\n')
            self.run_tool("g++" if language == "c++" else "gcc", "-x", language, f"-std={std}", "-Wall", "-Wextra",
                          "-pedantic-errors", "-Werror", "-fsyntax-only", "use")

    def numbers(self, name):
        data = (self.folder / "out" / name).read_bytes()
        return struct.unpack(f"<{len(data) // 4}i", data)

    def test_tables(self):
        # A hash has no closed form.
        self.write("p.yaml", "name: p\nheads:\n  - attend: causal and hash(q // 32, k // 32, h) % 3 == 0\n")
        self.works("./p.yaml", "-n", "777", "--heads", "3", "--block", "32", "--op", "forward", "-o", "out")
        layout = self.manifest("out")["layout"]
        self.assertEqual((layout["n"], layout["nq"], layout["q0"]), (777, 777, 0))
        [launch] = layout["launches"]
        rows = (777 + 31) // 32
        self.assertEqual((launch["pattern_head"], launch["kernel"], launch["query_tiles"], launch["layout_stride"],
                          launch["form_stride"]), (0, 0, rows, rows, 0))
        self.assertNotIn("row_forms", launch)
        read = {name: self.numbers(launch[name]) for name in ("block_offsets", "block_columns", "row_order")}
        self.assertEqual(len(read["block_offsets"]), 2 * 3 * rows + 1)
        self.assertEqual(read["block_offsets"][-1], len(read["block_columns"]))
        for h in range(3):
            self.assertEqual(sorted(read["row_order"][h * rows:(h + 1) * rows]), list(range(rows)))
        stats = json.loads(self.works("show", "./p.yaml", "-n", "777", "--heads", "3", "--block", "32", "--stats",
                                      "--json"))
        self.assertEqual(len(read["block_columns"]), sum(h["blocks"]["live"] for h in stats["heads"]))

    def test_closed_forms_and_orders(self):
        self.works("strided", "-n", "4096", "--block", "32", "--op", "forward", "-o", "out")
        row, column = self.manifest("out")["layout"]["launches"]
        for launch in (row, column):
            self.assertEqual(launch["query_tiles"], 128)
            self.assertEqual(len(self.numbers(launch["row_forms"])), 60)
            self.assertNotIn("block_offsets", launch)
        self.assertNotIn("query_order", row)
        self.assertEqual(self.numbers(column["query_order"]), self.numbers(column["key_order"]))

    def test_replaced_whole(self):
        self.works("strided", "-o", "out")
        os.chmod(self.folder / "out", 0o710)
        self.works("local", "-o", "out/")
        self.assertEqual((self.folder / "out").stat().st_mode & 0o777, 0o710)
        self.assertEqual(sorted(os.listdir(self.folder / "out")),
                         ["local.backward.sm_80.ptx", "local.backward_dkv.sm_80.ptx", "local.forward.sm_80.ptx", "local.h",
                          "manifest.json", "sparsec.json"])
        self.assertEqual(os.listdir(self.folder), ["out"])

    def test_what_somebody_put_there_stays(self):
        self.works("strided", "-o", "out")
        for make in (lambda path: path.write_text("x"), lambda path: path.mkdir(), lambda path: path.symlink_to("manifest.json")):
            make(self.folder / "out/mine")
            self.refuses(1, "error: out: has 'mine' in it, which sparsec did not write: move it away first\n" + WHY, "local", "-o", "out")
            if (self.folder / "out/mine").is_dir() and not (self.folder / "out/mine").is_symlink():
                os.rmdir(self.folder / "out/mine")
            else:
                os.remove(self.folder / "out/mine")
        os.rename(self.folder / "out/sparsec.json", self.folder / "mark")
        os.symlink("../mark", self.folder / "out/sparsec.json")
        self.refuses(1, "error: out: is not an output folder of sparsec (sparsec.json is not ours)\n" + WHY, "local", "-o", "out")

    def test_where_the_command_runs(self):
        os.makedirs(self.folder / "around/here")
        for path, why in ((".", "is the folder that this command runs in"), ("..", "is around the folder that this command runs in")):
            code, out, err = self.run_shell(f'cd around/here; "$SPARSEC" local -o {path}')
            self.assertEqual((code, out, err), (1, "", f"error: {path}: {why}\n" + WHY))

    def test_what_killed_runs_leave(self):
        """Folders beside it whose process is gone are cleaned up by the next run; others stay."""
        child = subprocess.Popen(["true"])
        child.wait()
        for name, process in ((".out.abcdef", child.pid), (".out.ghijkl", os.getpid()), (".other.abcdef", child.pid)):
            os.mkdir(self.folder / name)
            self.write(f"{name}/sparsec.json", json.dumps({"kind": "kernels", "version": "0.1.0", "unfinished": process}))
        os.mkdir(self.folder / ".out.mnopqr")
        self.works("local", "-o", "out")
        self.assertEqual(sorted(os.listdir(self.folder)), [".other.abcdef", ".out.ghijkl", ".out.mnopqr", "out"])

    def test_an_empty_folder_and_a_link_are_taken(self):
        os.mkdir(self.folder / "there")
        os.symlink("there", self.folder / "link")
        self.works("local", "-o", "link")
        self.assertTrue((self.folder / "link").is_symlink())
        self.assertIn("manifest.json", os.listdir(self.folder / "there"))

    def test_not_ours(self):
        os.mkdir(self.folder / "out")
        self.write("out/precious", "x")
        self.refuses(1, "error: out: is not an output folder of sparsec (there is no sparsec.json in it)\n" + WHY,
                     "local", "-o", "out")
        for text in ("", "{", "[]", "{}", '{"kind": 3, "version": "1"}', "[" * 20_000):
            self.write("out/sparsec.json", text)
            self.refuses(1, "error: out: is not an output folder of sparsec (sparsec.json is not ours)\n" + WHY,
                         "local", "-o", "out")
        self.write("out/sparsec.json", '{"kind": "run", "version": "0.1.0"}')
        self.refuses(1, "error: out: holds 'run', not 'kernels'\n" + WHY, "local", "-o", "out")
        self.write("file", "x")
        self.refuses(1, "error: file: is a file, not a folder\n" + WHY, "local", "-o", "file")
        self.refuses(1, "error: /: is the root of the file system\n" + WHY, "local", "-o", "/")

    def test_where_nothing_can_be_written(self):
        self.refuses(1, f"error: a/b: the folder {self.folder}/a does not exist\n", "local", "-o", "a/b")
        self.refuses(3, "error: /proc/out: cannot be created: No such file or directory\n", "local", "-o", "/proc/out")
        if os.geteuid() != 0:
            os.mkdir(self.folder / "closed", 0o555)
            self.refuses(3, f"error: closed/out: cannot be written to {self.folder}/closed: Permission denied\n",
                         "local", "-o", "closed/out")

    def test_full_disk(self):
        """A limit on the size of files stands in for a disk that fills up half-way."""
        self.works("local", "-o", "out")
        before = self.tree()
        code, out, err = self.run_shell('ulimit -f 1; "$SPARSEC" strided -o out')
        self.assertEqual((code, out), (3, ""))
        self.assertRegex(err, r"^error: out/\S+: cannot be written: File too large\n$")
        self.assertEqual(self.tree(), before)
        code, out, err = self.run_shell('"$SPARSEC" zoo > /dev/full')
        self.assertEqual((code, err), (3, "error: standard output cannot be written: No space left on device\n"))

    def test_interrupted(self):
        """Signals at any moment: the folder is the old one or the new one, and nothing lies beside it."""
        self.works("local", "-o", "out")
        old = set(os.listdir(self.folder / "out"))
        start = time.monotonic()
        self.works("strided", "-n", "65536", "-o", "whole")
        duration = time.monotonic() - start
        new = set(os.listdir(self.folder / "whole"))
        shutil.rmtree(self.folder / "whole")
        for step in range(12):
            child = subprocess.Popen([SPARSEC, "-q", "strided", "-n", "65536", "-o", "out"], cwd=self.folder,
                                     env=ENVIRONMENT)
            time.sleep(duration * step / 10)
            child.send_signal((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[step % 3])
            child.wait()
            self.assertEqual(os.listdir(self.folder), ["out"])
            self.assertIn(set(os.listdir(self.folder / "out")), (old, new))

    def test_names_of_heads_are_no_paths(self):
        for name in ("../up", "a/b", "..", "."):
            self.write("p.yaml", f"name: p\nheads: [{{name: '{name}', attend: causal}}]\n")
            self.run_sparsec("./p.yaml", "-o", "out")
            self.assertEqual(set(os.listdir(self.folder)) - {"out"}, {"p.yaml"})
            self.assertFalse((self.folder.parent / "up.forward.sm_80.ptx").exists())

    def test_cubins(self):
        code, out, err = self.run_sparsec("local", "--cubin", "-o", "none",
                                          environment={"SPARSEC_NVRTC": "none", "SPARSEC_PTXAS": "none"})
        self.assertEqual((code, out), (3, ""))
        self.assertTrue(err.startswith("error: "), err)
        self.assertEqual(os.listdir(self.folder), [])
        env = json.loads(self.works("env", "--json"))
        if not any(item["found"] for item in env["items"] if item["name"] in ("NVRTC", "ptxas")):
            self.skipTest("neither NVRTC nor ptxas is here")
        report = self.works("strided", "--cubin", "-o", "out")
        for kernel in self.manifest("out")["kernels"]:
            cubin = kernel["cubin"]
            self.assertEqual((self.folder / "out" / cubin["file"]).read_bytes()[:4], b"\x7fELF")
            self.assertGreater(cubin["registers"], 0)
            self.assertEqual((cubin["spill_store_bytes"], cubin["spill_load_bytes"], cubin["stack_bytes"]), (0, 0, 0))
            self.assertEqual((cubin["warnings"], cubin["concerns"]), ([], []))
            self.assertIn(cubin["file"], report)


if __name__ == "__main__":
    unittest.main()
