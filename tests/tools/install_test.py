"""./dev install: what it puts elsewhere runs there."""
import os
import pathlib
import unittest

from command import SPARSEC, CommandTest

BUILD = pathlib.Path(SPARSEC).parents[1]


class Install(CommandTest):
    def test_the_installed_sparsec_finds_its_libraries(self):
        self.run_tool(os.environ["CMAKE"], "--install", BUILD, "--strip", "--prefix", self.folder / "prefix")
        self.assertEqual([path for path, contents in self.tree().items() if contents is not None],
                         ["prefix/bin/sparsec"])
        installed = self.folder / "prefix/bin/sparsec"
        self.assertRegex(self.run_tool(installed, "--version"), "^sparsec ")
        self.run_tool(installed, "causal", "--target", "cpu,sm_80", "-o", "out")
        self.assertTrue((self.folder / "out/causal.forward.cpu.so").exists())


if __name__ == "__main__":
    unittest.main()
