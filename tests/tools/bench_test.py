"""sparsec bench, as a user without a GPU sees it."""
import unittest

from command import CommandTest


class Bench(CommandTest):
    def test_the_simulator_is_no_clock(self):
        self.refuses(3, "error: the simulator's times say nothing about a GPU; bench needs --device=cuda\n",
                     "bench", "local", "--device=sim")

    def test_every_pattern_is_looked_up(self):
        self.refuses(1, "error: there is no pattern 'locel' in the zoo; did you mean 'local'?\n"
                        "note: 'sparsec zoo' lists it; a path has a '/' or ends in .yaml\n",
                     "bench", "strided", "locel", "--device=sim")


if __name__ == "__main__":
    unittest.main()
