#include "tools/sparsec/HostHeader.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <set>

namespace sparsec::cli {
namespace {

/// What tells the constants of a layer from those of others: "_LAYER1", by its first index; nothing
/// where there is one.
std::string infix(const LoadedPattern &loaded, size_t layer) {
  return loaded.layers.size() > 1 ? fmt::format("_LAYER{}", loaded.layers[layer].indices[0]) : "";
}

/// The heads of the model that use each entry in a layer. The prefix of an entry's constants is
/// PATTERN_ENTRY, and a number where two would be the same.
std::string layerConstants(const LoadedPattern &loaded, size_t layer, const std::string &prefix,
                           std::set<std::string> &taken) {
  std::string text;
  if (loaded.layers.size() > 1)
    text = fmt::format("\n/* {} */\n", loaded.layers[layer].title());
  for (const auto &[entry, heads] : usesOf(loaded.layers[layer], loaded.heads)) {
    std::string own = prefix + infix(loaded, layer) + "_" +
                      upperCase(identifier(loaded.pattern.heads[entry].name));
    if (!taken.insert(own).second)
      own += fmt::format("_{}", heads.first);
    text += fmt::format("#define {0}_HEAD_FIRST {1}\n"
                        "#define {0}_HEAD_STEP {2}\n"
                        "#define {0}_HEAD_COUNT {3}\n",
                        own, heads.first, heads.step, heads.count);
  }
  return text;
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
  if (loaded.layers.size() > 1) {
    std::vector<int64_t> sameAs;
    for (int64_t i = 0; i < loaded.layers[0].of; ++i)
      sameAs.push_back(layerAt(loaded.layers, i).indices[0]);
    text += fmt::format("/* layer i of a model is LAYERj below, j = LAYER_SAME_AS[i % LAYERS] */\n"
                        "#define {0}_LAYERS {1}\n"
                        "#define {0}_LAYER_SAME_AS {{{2}}}\n",
                        name, loaded.layers[0].of, fmt::join(sameAs, ", "));
  }
  std::set<std::string> taken;
  for (size_t layer = 0; layer < loaded.layers.size(); ++layer)
    text += layerConstants(loaded, layer, name, taken);
  return text;
}

std::string launchConstants(const Build &build, const BuiltLaunch &launch) {
  const BuiltNumbers &built = build.numbers[launch.numbers];
  std::string prefix =
      constantPrefix(build.kernels[launch.kernel].kernel) + infix(build.plan->loaded, launch.layer);
  auto first = std::ranges::find_if(build.launches, [&](const BuiltLaunch &each) {
    return each.layer == launch.layer && each.kernel == launch.kernel;
  });
  if (launch.use.heads.first != first->use.heads.first)
    prefix += fmt::format("_HEAD{}", launch.use.heads.first);
  std::string text = fmt::format("#define {0}_QUERY_TILES {1}\n"
                                 "#define {0}_LAYOUT_STRIDE {2}\n"
                                 "#define {0}_FORM_STRIDE {3}\n",
                                 prefix, built.numbers.queryTiles, built.numbers.rowsPerHead,
                                 built.numbers.forms ? built.numbers.forms->stride : 0);
  auto files = built.files();
  for (const char *key :
       {"query_order", "key_order", "row_forms", "block_offsets", "block_columns", "row_order"}) {
    bool there = std::ranges::any_of(files, [&](const auto &file) { return file.first == key; });
    text += fmt::format("#define {}_{} {}\n", prefix, upperCase(key),
                        there ? fmt::format("\"{}.{}.i32\"", built.stem, key) : "0");
  }
  return text;
}

} // namespace sparsec::cli
