#include "tools/sparsec/HostHeader.h"

#include <algorithm>
#include <fmt/format.h>

namespace sparsec::cli {
namespace {

/// What tells the constants of a layer from those of others: "_LAYER1", by its first index; nothing
/// where there is one.
std::string infix(const LoadedPattern &loaded, size_t layer) {
  return loaded.layers.size() > 1 ? fmt::format("_LAYER{}", loaded.layers[layer].indices[0]) : "";
}

/// The heads of the model that use each entry in a layer: PATTERN_ENTRY_HEAD_FIRST and so on.
std::string layerConstants(const Plan &plan, size_t layer, const std::string &prefix,
                           Defines &defines) {
  const LoadedPattern &loaded = plan.loaded;
  std::string text;
  if (loaded.layers.size() > 1)
    text = fmt::format("\n/* {} */\n", loaded.layers[layer].title());
  for (const auto &[entry, heads] : usesOf(loaded.layers[layer], loaded.heads))
    text += defines.write(
        prefix + infix(loaded, layer) + "_" + upperCase(plan.headNames[entry]),
        {{"HEAD_FIRST", heads.first}, {"HEAD_STEP", heads.step}, {"HEAD_COUNT", heads.count}});
  return text;
}

/// Floats of each sequence of the batch: PATTERN_DELTA_FLOATS and so on, 0 where there are none.
std::string workspaceConstants(const Build &build, const std::string &prefix, Defines &defines) {
  std::vector<BuiltWorkspace> used = build.workspaces();
  std::string text;
  for (const PlannedPass &pass : build.plan->heads.front().passes)
    for (const Workspace &each : pass.pass->workspaces) {
      auto found = std::ranges::find(used, each.field, &BuiltWorkspace::field);
      int64_t floats = found == used.end() ? 0 : found->heads * found->rows * found->columns;
      text += defines.write(prefix, {{upperCase(std::string(each.field)) + "_FLOATS", floats}});
    }
  return text;
}

} // namespace

std::string Defines::write(const std::string &prefix, const std::vector<Constant> &constants) {
  std::vector<std::string> suffixes;
  for (const Constant &constant : constants)
    suffixes.push_back("_" + constant.name);
  std::string own = names.take(prefix, suffixes), text;
  for (const auto &[name, value] : constants)
    text += fmt::format("#define {}_{} {}\n", own, name, value);
  return text;
}

std::string constantPrefix(const std::string &entry, const Target &target) {
  return upperCase(entry + "_" + identifier(target.name));
}

std::string hostDeclaration(const BuiltKernel &each, const std::string &argumentStruct,
                            Defines &defines) {
  const auto &[built, kernel] = each;
  std::string amx =
      kernel.usesAmx
          ? " It computes in AMX's tile registers, which Linux\n"
            " * keeps for a process that has asked for them (ARCH_REQ_XCOMP_PERM of XTILEDATA):\n"
            " * syscall(SYS_arch_prctl, 0x1023, 18) must have returned 0 before the first call."
          : "";
  std::string constants = defines.write(constantPrefix(kernel.entry, kernel.target),
                                        {{"BLOCK_Q", kernel.block.q},
                                         {"BLOCK_K", kernel.block.k},
                                         {"SCRATCH_BYTES", kernel.scratchBytes}});
  const char *item = kernel.grid.work == Grid::Work::Range ? "item x"
                     : kernel.grid.axis == Grid::Axis::Keys
                         ? "tile x of the keys of group y, batch z"
                         : "tile x of the queries of head y, batch z";
  return fmt::format("\n/* {0} and {1}: computes {6}, of the\n"
                     " * grid. Calls may run at once, each with SCRATCH_BYTES of its own, at a\n"
                     " * multiple of 64 bytes.{2} */\n"
                     "{3}"
                     "#ifdef __cplusplus\nextern \"C\"\n#endif\n"
                     "void {4}(const {5} *arguments,\n"
                     "    int32_t x, int32_t y, int32_t z, void *scratch);\n",
                     built.codeFile(), built.objectFile(), amx, constants, kernel.entry,
                     argumentStruct, item);
}

std::string patternConstants(const Build &build, Defines &defines) {
  const LoadedPattern &loaded = build.plan->loaded;
  std::string name = upperCase(identifier(loaded.pattern.name));
  std::string text = "\n/* the model that this was made for */\n" +
                     defines.write(name, {{"HEADS", loaded.heads},
                                          {"KV_HEADS", loaded.kvHeads},
                                          {"HEAD_DIM", build.plan->headDim},
                                          {"VALUE_DIM", build.plan->valueDim}});
  if (build.at) {
    const auto &[n, nq, q0] = *build.at;
    if (build.at->square())
      text += defines.write(
          name, {{"N", fmt::format("{} /* keys and queries that the launches are for */", n)}});
    else
      text += defines.write(name, {{"N", fmt::format("{} /* keys that the launches are for */", n)},
                                   {"NQ", fmt::format("{} /* and queries */", nq)},
                                   {"Q0", fmt::format("{} /* position of the first */", q0)}});
    text += workspaceConstants(build, name, defines);
  }
  if (loaded.layers.size() > 1) {
    std::vector<int64_t> sameAs;
    for (int64_t i = 0; i < loaded.layers[0].of; ++i)
      sameAs.push_back(layerAt(loaded.layers, i).indices[0]);
    text +=
        "/* layer i of a model is LAYERj below, j = LAYER_SAME_AS[i % LAYERS] */\n" +
        defines.write(name, {{"LAYERS", loaded.layers[0].of},
                             {"LAYER_SAME_AS", fmt::format("{{{}}}", fmt::join(sameAs, ", "))}});
  }
  for (size_t layer = 0; layer < loaded.layers.size(); ++layer)
    text += layerConstants(*build.plan, layer, name, defines);
  return text;
}

std::string partConstants(const Plan &plan, Defines &defines) {
  std::string text = "\n/* parts of each head, one launched after the other */\n";
  for (const PlannedHead &head : plan.heads)
    for (int entry : head.entries)
      for (const PlannedPass &pass : head.passes)
        text += defines.write(constantPrefix(plan.symbol(entry, *pass.pass), head.target),
                              {{"PARTS", static_cast<int64_t>(pass.requests.size())}});
  return text;
}

static std::string constantsOf(const Build &build, const BuiltLaunch &launch,
                               const BuiltKernel &kernel, const std::string &suffix,
                               Defines &defines) {
  const BuiltNumbers &built = build.numbers[launch.numbers];
  LaunchGrid grid = gridOf(build, launch, kernel.kernel);
  bool ofRows = kernel.kernel.grid.work == Grid::Work::Rows; // then all is said, be it 0
  std::vector<Defines::Constant> constants = {{upperCase(grid.name), grid.x}};
  if (ofRows || kernel.takes("layout_stride")) {
    constants.push_back({"LAYOUT_STRIDE", built.numbers.rowsPerHead});
    constants.push_back({"FORM_STRIDE", built.numbers.forms ? built.numbers.forms->stride : 0});
  }
  for (const auto &[name, value, counts] : launch.fields)
    if (kernel.takes(name))
      constants.push_back({upperCase(name), value});
  auto files = built.files(kernel.kernel);
  for (const char *key : {"query_order", "key_order", "row_forms", "block_offsets", "block_columns",
                          "row_order", "blocks"}) {
    if (!kernel.takes(key) && !(ofRows && key != std::string_view("blocks")))
      continue;
    bool there = std::ranges::any_of(files, [&](const auto &file) { return file.first == key; });
    constants.push_back(
        {upperCase(key), there ? fmt::format("\"{}.{}.i32\"", built.stem, key) : "0"});
  }
  if (!launch.groups.empty()) {
    if (!kernel.takes("group_count")) // else it is among the fields
      constants.push_back({"GROUP_COUNT", launch.groupCount});
    constants.push_back({"GROUPS", fmt::format("\"{}\"", launch.groupsFile)});
    if (launch.groupHeads)
      constants.push_back({"GROUP_HEADS", launch.groupHeads});
  }
  return defines.write(constantPrefix(kernel.kernel.entry, kernel.kernel.target) + suffix,
                       constants);
}

std::string launchConstants(const Build &build, const BuiltLaunch &launch, Defines &defines) {
  std::string suffix = infix(build.plan->loaded, launch.layer), text;
  auto first = std::ranges::find_if(build.launches, [&](const BuiltLaunch &each) {
    return each.layer == launch.layer && each.request == launch.request;
  });
  if (launch.use.heads.first != first->use.heads.first)
    suffix += fmt::format("_HEAD{}", launch.use.heads.first);
  const BuiltRequest &built = build.requests[launch.request];
  for (const Kernel &kernel : built.kernels)
    text += constantsOf(build, launch, {built, kernel}, suffix, defines);
  return text;
}

} // namespace sparsec::cli
