"""Pattern files that mean harm, and sizes that no kernel has: what is refused, how, and what is right where it is not."""
import json
import unittest

from command import CommandTest


class Attacks(CommandTest):
    def test_nested_remainders_have_a_count(self):
        """Forty levels, whose periods would be looked for again at each: q + 40 k < 9 below the moduli."""
        nested = "(" * 40 + "(q + k)"
        for level in range(40):
            nested += f" % {1000003 + level} + k)" if level < 39 else f" % {1000003 + level})"
        report = json.loads(self.works("show", "-e", f"{nested} < 9", "--stats", "-n", 256, "--json"))
        self.assertEqual(report["heads"][0]["elements"], sum(q + 40 * k < 9 for q in range(256) for k in range(256)))

    def test_a_table_is_a_file_beside_its_pattern(self):
        """No other file is opened, and none is quoted."""
        (self.folder / "link").symlink_to("/etc/passwd")
        for name in ("/etc/passwd", "../../../../etc/passwd", "link"):
            self.write("p.yaml", f"name: p\nheads:\n  - {{attend: causal, schedule: {{order: {{table: {name}}}}}}}\n")
            for command in (("show",), ("explain",), ("compile", "-o", "out"), ("verify", "--device=cpu")):
                with self.subTest(table=name, command=command[0]):
                    code, out, err = self.run_sparsec(*command, "./p.yaml")
                    self.assertEqual((code, out), (1, ""))
                    self.assertTrue(err.startswith(f"./p.yaml:3:48: error: '{name}': expected a file inside the pattern's folder: "), err)
                    self.assertNotIn("root:", err)

    def test_dims_of_heads(self):
        for dims in ((96,), (80,), (192, 128)):
            flags = [text for flag, dim in zip(("--head-dim", "--value-dim"), dims) for text in (flag, dim)]
            out = self.works("verify", "causal", "--device=cpu", "-n", 20, "--op", "forward", "-q", *flags)
            self.assertRegex(out, r"^passed: (\d+) of \1 outputs within the bound\n$")
        for dim in (72, 40, 576):
            self.refuses(1, f"error: expected a head dim of 16 to 256 in steps of 16, found {dim}\n", "verify", "causal", "--device=cpu",
                         "-n", 20, "--op", "forward", "-q", "--head-dim", dim)
            self.refuses(1, f"error: expected a head dim of 16 to 256 in steps of 16, found {dim}\n", "compile", "causal", "-o", "out", "--head-dim", dim)


if __name__ == "__main__":
    unittest.main()
