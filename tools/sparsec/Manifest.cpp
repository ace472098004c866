#include "tools/sparsec/Manifest.h"

#include "tools/sparsec/ArgumentStructs.h"
#include "tools/sparsec/HostHeader.h"
#include "tools/sparsec/Version.h"

#include <fmt/core.h>
#include <llvm/ADT/StringExtras.h>
#include <llvm/Support/SHA256.h>

namespace sparsec::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string sha256(const std::string &text) {
  auto bytes = llvm::SHA256::hash(llvm::arrayRefFromStringRef(text));
  return llvm::toHex(bytes, /*LowerCase=*/true);
}

ArgumentStructs structsOf(const Build &build) {
  std::vector<const Kernel *> kernels;
  for (const BuiltKernel &built : build.kernels)
    kernels.push_back(&built.kernel);
  return ArgumentStructs(kernels);
}

Json arguments(const Kernel &kernel, const ArgumentStructs &structs) {
  Json fields = Json::array();
  for (const Field &field : kernel.signature.fields())
    fields.push_back({{"name", field.name},
                      {"type", name(field.type)},
                      {"count", field.count},
                      {"offset", field.offset}});
  return {
      {"struct", structs.nameOf(kernel)}, {"size", kernel.signature.bytes()}, {"fields", fields}};
}

Json patternJson(const LoadedPattern &loaded) {
  std::string resolved = print(loaded.pattern);
  return {{"name", loaded.pattern.name},
          {"source", loaded.source->text},
          {"params", loaded.pattern.params},
          {"resolved", resolved},
          {"sha256", sha256(resolved)}};
}

Json blockJson(const Block &block) {
  return {{"q", block.q}, {"k", block.k}};
}

Json cubinJson(const BuiltKernel &built) {
  const AssembleReport &report = built.cubin->report;
  return {{"file", built.cubinFile()},
          {"assembler", built.cubin->assembler},
          {"registers", report.registers},
          {"stack_bytes", report.stack},
          {"spill_store_bytes", report.spillStores},
          {"spill_load_bytes", report.spillLoads},
          {"static_shared_bytes", report.shared},
          {"warnings", report.warnings},
          {"concerns", report.concerns}};
}

Json gridJson(const Grid &grid) {
  std::string text = print(grid); // "rows of queries, tile 64, ..."
  return {{"work", text.substr(0, text.find(','))},
          {"tile", grid.tile},
          {"heads_per_y", grid.headsPerY},
          {"longest", grid.longest == Grid::Longest::Last ? "last" : "first"},
          {"order", grid.order}};
}

Json kernelJson(const BuiltKernel &built, const ArgumentStructs &structs) {
  const Kernel &kernel = built.kernel;
  const AttentionRequest &request = built.plan->request;
  Json out = {{"entry", kernel.entry},
              {"operation", kernel.operation},
              {"pattern_heads", built.plan->entries},
              {"target", kernel.target.name},
              {built.isHost() ? "shared_object" : "ptx", built.codeFile()},
              {"block", blockJson(kernel.block)},
              {"grid", gridJson(kernel.grid)},
              {"arguments", arguments(kernel, structs)},
              {"uses_head", request.usesHead()},
              {"attend", print(request.attend)},
              {"query_order", print(request.queryOrder)},
              {"key_order", print(request.keyOrder)},
              {"reads_prior", !request.part.first},
              {"out_dtype", request.part.last ? name(request.dtype) : name(DType::F32)}};
  if (built.isHost()) {
    out["object"] = built.objectFile();
    out["scratch_bytes"] = kernel.scratchBytes;
    out["uses_amx"] = kernel.usesAmx;
  } else {
    out["threads"] = kernel.threads;
    out["shared_bytes"] = kernel.sharedBytes;
  }
  if (built.cubin)
    out["cubin"] = cubinJson(built);
  return out;
}

/// The kernels of an entry, by target, as indices: the parts in the order they run.
Json partsJson(const Plan &plan, int entry) {
  Json targets = Json::object();
  for (const PlannedHead &head : plan.heads)
    if (std::find(head.entries.begin(), head.entries.end(), entry) != head.entries.end())
      targets[plan.kernels[head.kernels[0]].request.target.name] = head.kernels;
  return targets;
}

/// Adds the heads of the model.
void addHeads(Json &object, const Heads &heads) {
  object["head_first"] = heads.first;
  object["head_step"] = heads.step;
  object["head_count"] = heads.count;
}

/// The pattern's entries; the heads that use each only where all layers are alike, so that whoever
/// looks for them there does not take one layer for all.
Json headsJson(const Plan &plan) {
  const LoadedPattern &loaded = plan.loaded;
  Json heads = Json::array();
  for (size_t i = 0; i < loaded.pattern.heads.size(); ++i)
    heads.push_back({{"name", loaded.pattern.heads[i].name},
                     {"attend", print(loaded.pattern.heads[i].attend)},
                     {"kernels", partsJson(plan, static_cast<int>(i))}});
  if (loaded.pattern.layers.empty())
    for (const EntryUse &use : usesOf(loaded.layers[0], loaded.heads))
      addHeads(heads[use.entry], use.heads);
  return heads;
}

Json layersJson(const LoadedPattern &loaded) {
  Json layers = Json::array();
  for (const Layer &layer : loaded.layers) {
    Json heads = Json::array();
    for (const EntryUse &use : usesOf(layer, loaded.heads)) {
      Json head = {{"pattern_head", use.entry}};
      addHeads(head, use.heads);
      heads.push_back(std::move(head));
    }
    layers.push_back({{"indices", layer.indices}, {"heads", heads}});
  }
  return layers;
}

Json launchesJson(const Build &build) {
  Json launches = Json::array();
  for (const BuiltLaunch &each : build.launches) {
    const BuiltNumbers &built = build.numbers[each.numbers];
    const LaunchNumbers &numbers = built.numbers;
    Json launch = {
        {"layer", each.layer}, {"pattern_head", each.use.entry}, {"kernel", each.kernel}};
    addHeads(launch, each.use.heads);
    launch["query_tiles"] = numbers.queryTiles;
    launch["layout_stride"] = numbers.rowsPerHead;
    launch["form_stride"] = numbers.forms ? numbers.forms->stride : 0;
    for (const auto &[key, array] : built.files())
      launch[key] = fmt::format("{}.{}.i32", built.stem, key);
    launches.push_back(std::move(launch));
  }
  return {{"n", *build.n}, {"nq", *build.n}, {"q0", 0}, {"launches", launches}};
}

constexpr char kHeaderTop[] =
    R"(/* {name}: block-sparse attention kernels, made by sparsec {version}.
 *
 * Every kernel takes one struct of its own: on a GPU by value, on the CPU by address.
 * Pointers are addresses of the device; strides are in elements and the last dimension is
 * contiguous; addresses and strides of q, k, v and out are multiples of 16 bytes. Launch with
 *
 *   grid  = (tiles of queries, heads that use the kernel, batch)
 *   block = (THREADS, 1, 1), with SHARED_BYTES of dynamic shared memory
 *
 * On the CPU, call the kernel's function for each place (x, y, z) of the grid.
 *
 * In natural order the tiles are ceil(nq / BLOCK_Q). PARTS says how many kernels compute a head,
 * each launched after the one before: more than 1 have names that end in _part1, _part2, ...
 * manifest.json says which heads use which kernels and what each launch needs beside the tensors.
 */
)";

constexpr char kHeaderIncludes[] = R"(
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SPARSEC_ASSERT(what) static_assert(what, #what)
#define SPARSEC_ALIGNED(bytes) alignas(bytes)
#else
#define SPARSEC_ASSERT(what) _Static_assert(what, #what)
#define SPARSEC_ALIGNED(bytes) _Alignas(bytes)
#endif
)";

std::string kernelConstants(const BuiltKernel &built, const ArgumentStructs &structs,
                            Defines &defines) {
  const Kernel &kernel = built.kernel;
  std::string declared = structs.declare(kernel);
  if (built.isHost())
    return declared + hostDeclaration(built, structs.nameOf(kernel), defines);
  return declared + fmt::format("\n/* {} */\n", built.codeFile()) +
         defines.write(constantPrefix(kernel.entry, kernel.target),
                       {{"ENTRY", fmt::format("\"{}\"", kernel.entry)},
                        {"BLOCK_Q", kernel.block.q},
                        {"BLOCK_K", kernel.block.k},
                        {"THREADS", kernel.threads},
                        {"SHARED_BYTES", kernel.sharedBytes}});
}

} // namespace

std::vector<std::pair<std::string, const std::vector<int32_t> *>> BuiltNumbers::files() const {
  const BlockTables &tables = numbers.tables.tables;
  std::vector<std::pair<std::string, const std::vector<int32_t> *>> list;
  auto add = [&](const char *key, const std::vector<int32_t> &values) {
    if (!values.empty())
      list.emplace_back(key, &values);
  };
  add("query_order", numbers.queryOrder);
  add("key_order", numbers.keyOrder);
  if (numbers.forms) {
    add("row_forms", numbers.forms->numbers);
    return list;
  }
  add("block_offsets", tables.offsets);
  add("block_columns", tables.columns);
  add("row_order", tables.rowOrder);
  return list;
}

Json manifest(const Build &build) {
  const LoadedPattern &loaded = build.plan->loaded;
  const AttentionRequest &request = build.plan->kernels.front().request;
  Json kernels = Json::array();
  ArgumentStructs structs = structsOf(build);
  for (const BuiltKernel &built : build.kernels)
    kernels.push_back(kernelJson(built, structs));
  Json out = {{"format", 2},
              {"versions", {{"sparsec", kVersion}, {"llvm", kLlvmVersion}}},
              {"pattern", patternJson(loaded)},
              {"dtype", name(request.dtype)},
              {"head_dim", request.headDim},
              {"value_dim", request.valueDim},
              {"heads", loaded.heads},
              {"kv_heads", loaded.kvHeads},
              {"grid",
               {{"x", "query_tiles; ceil(nq / block.q) in natural order"},
                {"y", "head_count of the pattern head in the layer"},
                {"z", "batch"}}},
              {"pattern_heads", headsJson(*build.plan)},
              {"layer_count", loaded.layers[0].of},
              {"layers", layersJson(loaded)},
              {"kernels", kernels}};
  if (build.n)
    out["layout"] = launchesJson(build);
  return out;
}

std::string cHeader(const Build &build) {
  std::string guard = "SPARSEC_KERNELS_" + upperCase(identifier(build.plan->loaded.pattern.name));
  std::string text =
      fmt::format(kHeaderTop, fmt::arg("name", identifier(build.plan->loaded.pattern.name)),
                  fmt::arg("version", kVersion));
  text += fmt::format("#ifndef {0}\n#define {0}\n", guard) + kHeaderIncludes;
  ArgumentStructs structs = structsOf(build);
  Defines defines;
  text += patternConstants(build, defines) + partConstants(*build.plan, defines);
  for (const BuiltKernel &built : build.kernels)
    text += kernelConstants(built, structs, defines);
  for (const BuiltLaunch &launch : build.launches)
    text += launchConstants(build, launch, defines);
  return text + "\n#undef SPARSEC_ASSERT\n#undef SPARSEC_ALIGNED\n#endif\n";
}

} // namespace sparsec::cli
