#include "tools/sparsec/HostHeader.h"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>
#include <set>

namespace sparsec::cli {
namespace {

/// The prefix of every entry's constants: PATTERN_ENTRY, and a number where two would be the same.
std::vector<std::string> prefixes(const Pattern &pattern) {
  std::vector<std::string> all;
  std::set<std::string> taken;
  for (size_t i = 0; i < pattern.heads.size(); ++i) {
    std::string prefix =
        upperCase(identifier(pattern.name) + "_" + identifier(pattern.heads[i].name));
    if (!taken.insert(prefix).second)
      prefix += fmt::format("_{}", i);
    all.push_back(prefix);
  }
  return all;
}

} // namespace

std::string upperCase(const std::string &name) {
  std::string upper;
  for (char c : name)
    upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

std::string constantPrefix(const Kernel &kernel) {
  return upperCase(kernel.entry + "_" + identifier(kernel.target.name));
}

std::string hostDeclaration(const BuiltKernel &built) {
  const Kernel &kernel = built.kernel;
  return fmt::format(
      "\n/* {0} and {1}: computes tile x of the queries of head y, batch z, of the\n"
      " * grid. Calls may run at once, each with SCRATCH_BYTES of its own, at a\n"
      " * multiple of 64 bytes.{7} */\n"
      "#define {2}_BLOCK_Q {3}\n"
      "#define {2}_BLOCK_K {4}\n"
      "#define {2}_SCRATCH_BYTES {5}\n"
      "#ifdef __cplusplus\nextern \"C\"\n#endif\n"
      "void {6}(const sparsec_attention_arguments *arguments, int32_t x, int32_t y,\n"
      "    int32_t z, void *scratch);\n",
      built.codeFile(), built.objectFile(), constantPrefix(kernel), kernel.block.q, kernel.block.k,
      kernel.scratchBytes, kernel.entry,
      kernel.usesAmx
          ? " It computes in AMX's tile registers, which Linux\n"
            " * keeps for a process that has asked for them (ARCH_REQ_XCOMP_PERM of XTILEDATA):\n"
            " * syscall(SYS_arch_prctl, 0x1023, 18) must have returned 0 before the first call."
          : "");
}

std::string patternConstants(const Build &build) {
  const LoadedPattern &loaded = build.plan->loaded;
  const KernelRequest &request = build.plan->kernels.front().request;
  std::string name = upperCase(identifier(loaded.pattern.name));
  std::string text =
      fmt::format("\n/* the model that this was made for */\n"
                  "#define {0}_HEADS {1}\n"
                  "#define {0}_KV_HEADS {2}\n"
                  "#define {0}_HEAD_DIM {3}\n"
                  "#define {0}_VALUE_DIM {4}\n",
                  name, loaded.heads, loaded.kvHeads, request.headDim, request.valueDim);
  if (build.n)
    text += fmt::format("#define {}_N {} /* keys and queries that the launches are for */\n", name,
                        *build.n);
  std::vector<std::string> entries = prefixes(loaded.pattern);
  int64_t count = static_cast<int64_t>(entries.size());
  for (int64_t i = 0; i < count; ++i)
    text += fmt::format("#define {0}_HEAD_FIRST {1}\n"
                        "#define {0}_HEAD_STEP {2}\n"
                        "#define {0}_HEAD_COUNT {3}\n",
                        entries[i], i, count,
                        i < loaded.heads ? (loaded.heads - i + count - 1) / count : 0);
  return text;
}

std::string launchConstants(const Build &build, const BuiltLaunch &launch) {
  const BuiltKernel &built = build.kernels[launch.kernel];
  std::string prefix = constantPrefix(built.kernel);
  if (launch.entry != built.plan->entries[0])
    prefix += fmt::format("_HEAD{}", launch.entry);
  std::string text = fmt::format("#define {0}_QUERY_TILES {1}\n"
                                 "#define {0}_LAYOUT_STRIDE {2}\n"
                                 "#define {0}_FORM_STRIDE {3}\n",
                                 prefix, launch.numbers.queryTiles, launch.numbers.rowsPerHead,
                                 launch.numbers.forms ? launch.numbers.forms->stride : 0);
  auto files = launch.files();
  for (const char *key :
       {"query_order", "key_order", "row_forms", "block_offsets", "block_columns", "row_order"}) {
    bool there = std::ranges::any_of(files, [&](const auto &file) { return file.first == key; });
    text += fmt::format("#define {}_{} {}\n", prefix, upperCase(key),
                        there ? fmt::format("\"{}.{}.i32\"", launch.stem, key) : "0");
  }
  return text;
}

} // namespace sparsec::cli
