# Texts through sparsec-opt and sparsec: each `// RUN:` line of a file is a test. CMake runs lit once
# for each folder (sparsec_lit_test) and passes where the programs are.
import os

import lit.formats

config.name = "sparsec"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(lit_config.params["build"], "lit")

llvm_tools = lit_config.params["llvm_tools"]
programs = os.path.join(lit_config.params["build"], "bin")
config.environment["PATH"] = os.pathsep.join([programs, llvm_tools, os.environ["PATH"]])
config.environment["FILECHECK_OPTS"] = "--dump-input=fail --dump-input-context=8"
