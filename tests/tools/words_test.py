"""Every word of the language in kernels: forward and backward, on the simulator and the cpu, against the reference."""
import json
import unittest

from command import CommandTest

WORDS = {
    "lists": """
params: {ends: [9, 20, 21, 40, 57], columns: {file: columns.txt}}
heads:
  - {name: segments, attend: "causal and segment(q, ends) == segment(k, ends)"}
  - {name: columns, attend: "causal and (k in columns or q - k < 4 or q - k in [16, 32])"}""",
    "draws": """
heads:
  - {name: blocks, attend: "draw(2, q // 16, k // 16, (n + 15) // 16, h) or q == k"}
  - {name: earlier, attend: "draw(3, q, k, q + 1, 7)"}""",
    "neighbourhoods": """
heads:
  - {name: near, attend: "moved(q // 9, k // 9, 3, 8) and moved(q % 9, k % 9, 4, 9)"}
  - {name: strided, attend: "moved(q, k, 11, 72, 3, 2)"}""",
    "choices": """
where: {old: "k < 30"}
heads:
  - {name: choice, attend: "local(12 if q < 40 else 24) or old == (q % 2 == 0)"}
  - {name: powers, attend: "q == k or power_of_two(q - k) or log2(k) == log2(q) and k <= clamp(q, 8, 50)"}
  - {name: guarded, attend: "causal and 60 // (q - k + 1) > 3"}""",
}


class Words(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("columns.txt", "".join(f"{(37 * i) % 72}\n" for i in range(0, 30, 2)))

    def verify(self, device, *flags):
        for name, text in WORDS.items():
            path = self.write(f"{name}.yaml", f"name: {name}{text}\n")
            with self.subTest(words=name, device=device):
                report = json.loads(self.works("verify", path, f"--device={device}", "--head-dim", 16, "--json", *flags))
                self.assertTrue(report["passed"], [case for case in report["cases"] if not case["passed"]])

    def test_on_the_cpu(self):
        self.verify("cpu", "-n", 72)

    def test_on_the_simulator(self):
        self.verify("sim", "-n", 72)

    def test_a_long_list(self):
        """100,000 entries: a table of the module, searched in 17 steps."""
        self.write("ends.txt", "\n".join(str(3 * i) for i in range(100_000)))
        path = self.write("long.yaml", "name: long\nparams: {ends: {file: ends.txt}}\n"
                          "heads: [{attend: \"causal and segment(q, ends) == segment(k, ends)\"}]\n")
        report = json.loads(self.works("show", path, "--stats", "--json", "-n", 1200))
        self.assertEqual(report["heads"][0]["elements"], 400 * 6)
        report = json.loads(self.works("verify", path, "--device=cpu", "--op", "forward", "-n", 100, "--json"))
        self.assertTrue(report["passed"])

    def test_plans_are_linear(self):
        """Blocks that are drawn are enumerated: four times the tokens, about four times the live blocks, and soon."""
        path = self.write("drawn.yaml", "name: drawn\nheads: [{attend: \"draw(3, q // 64, k // 64, (n + 63) // 64, h)\"}]\n")
        for n in (4096, 65_536):
            head = json.loads(self.works("show", path, "--stats", "--json", "-n", n, "--block", 64))["heads"][0]
            self.assertEqual(head["elements"], 3 * 64 * n)
            self.assertEqual(head["blocks"], {"live": 3 * n // 64, "full": 3 * n // 64, "partial": 0})


if __name__ == "__main__":
    unittest.main()
