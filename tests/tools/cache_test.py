"""sparsec cache, and that a second run of a command compiles nothing."""
import json
import os
import unittest

from command import CommandTest
from train_test import TEXT, TINY


class Cache(CommandTest):
    def setUp(self):
        super().setUp()
        self.environment = {"SPARSEC_CACHE": str(self.folder / "cache")}

    def cache(self, *arguments):
        return json.loads(self.works("cache", *arguments, "--json", environment=self.environment))

    def test_what_a_run_leaves(self):
        self.write("tiny.yaml", TINY)
        self.write("text", TEXT)
        train = ["train", "./tiny.yaml", "--data", "text", "--steps", "2", "--device", "cpu", "-q", "--out"]
        self.works(*train, "first", environment=self.environment)
        entries = self.cache("ls")["entries"]
        self.assertGreater(len(entries), 10)
        self.assertEqual({entry["kind"] for entry in entries}, {"kernels"})
        self.assertTrue(any(entry["what"].startswith("fixed_") and entry["what"].endswith(" for cpu") for entry in entries))
        # The second run makes no entry, and reads them all: the first is the one used last.
        written = {entry["path"]: os.stat(entry["path"]).st_ino for entry in entries}
        self.works(*train, "second", environment=self.environment)
        again = self.cache("ls")["entries"]
        self.assertEqual({entry["path"]: os.stat(entry["path"]).st_ino for entry in again}, written)
        logs = [(self.folder / run / "log.jsonl").read_text() for run in ("first", "second")]
        self.assertEqual(*[[json.loads(line).get("bits") for line in log.splitlines()] for log in logs])
        # A damaged entry is said, and made again.
        path = entries[0]["path"]
        contents = bytearray(open(path, "rb").read())
        contents[len(contents) // 2] ^= 1
        open(path, "wb").write(contents)
        code, _, err = self.run_sparsec(*train, "third", environment=self.environment)
        self.assertEqual((code, err), (0, f"warning: the cache entry {path} is not used, and made again: it is damaged\n"))
        text = self.works("cache", "ls", environment=self.environment)
        self.assertRegex(text, rf"\n{self.folder}/cache: {len(entries)} entries, \d+\.\d MB\n$")
        self.assertEqual(self.cache("clear"), {"removed": len(entries)})
        self.assertEqual(self.cache("ls")["entries"], [])

    def test_where_it_is(self):
        self.assertEqual(self.works("cache", "path", environment=self.environment), f"{self.folder}/cache\n")
        self.assertEqual(self.works("cache", "path", environment={"HOME": "/h"}), "/h/.cache/sparsec\n")
        self.refuses(3, "error: there is no cache: SPARSEC_CACHE is off\n", "cache", "ls", environment={"SPARSEC_CACHE": "off"})
        self.refuses(2, "error: expected ls, clear or path, found 'list'\nnote: 'sparsec cache --help' lists what there is\n",
                     "cache", "list")
        self.write("theirs", "")
        self.refuses(3, f"error: the cache {self.folder} cannot be used: it is not empty, and sparsec did not make it\n",
                     "cache", "clear", environment={"SPARSEC_CACHE": str(self.folder)})

    def test_env_says_it(self):
        items = {item["name"]: item for item in json.loads(self.works("env", "--json", environment=self.environment))["items"]}
        self.assertEqual((items["cache"]["found"], items["cache"]["get"]), (True, ""))
        self.assertIn(f"{self.folder}/cache: 0 entries", items["cache"]["detail"])
        for item in items.values():
            self.assertNotEqual(item["found"], bool(item["get"]), item)


if __name__ == "__main__":
    unittest.main()
