#include "runtime/c/LoadFolder.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace sparsec {
namespace {

using Json = nlohmann::json;
constexpr int kFormat = 3; ///< of the manifest

/// "residue 128" as print() of an order has it; a table's positions are not in the folder.
Result<OrderSpec> orderOf(const std::string &text) {
  long long a = 0, b = 0, c = 0, d = 0;
  if (text == "natural")
    return OrderSpec(NaturalOrder{});
  if (std::sscanf(text.c_str(), "residue %lld", &a) == 1)
    return OrderSpec(ResidueOrder{a});
  if (std::sscanf(text.c_str(), "tails %lld, %lld", &a, &b) == 2)
    return OrderSpec(TailsOrder{a, b});
  long long e = 0, f = 0;
  if (std::sscanf(text.c_str(), "grid %lld x %lld x %lld by %lld x %lld x %lld", &a, &b, &c, &d, &e,
                  &f) == 6)
    return OrderSpec(GridOrder{{a, b, c}, {d, e, f}});
  if (std::sscanf(text.c_str(), "grid %lld x %lld by %lld x %lld", &a, &b, &c, &d) == 4)
    return OrderSpec(GridOrder{{a, b}, {c, d}});
  return inputError(
      fmt::format("manifest.json: expected an order that a length gives, found {}", quote(text)));
}

Result<Grid> gridOf(const Json &json) {
  std::string order = json.at("order");
  return parseGrid(
      fmt::format("{}, tile {}, heads {}, longest {}, order {}", json.at("work").get<std::string>(),
                  json.at("tile").get<int>(), json.at("heads_per_y").get<int>(),
                  json.at("longest").get<std::string>(), order.empty() ? "none" : order));
}

Result<Signature> signatureOf(const Json &arguments) {
  static const std::map<std::string, FieldType> types = {{"pointer", FieldType::Pointer},
                                                         {"i64", FieldType::I64},
                                                         {"i32", FieldType::I32},
                                                         {"f32", FieldType::F32}};
  std::vector<Field> fields;
  for (const Json &each : arguments.at("fields")) {
    auto type = types.find(each.at("type").get<std::string>());
    if (type == types.end())
      return inputError(fmt::format("manifest.json: a field of type {}", each.at("type").dump()));
    fields.push_back(
        {.name = each.at("name"), .type = type->second, .count = each.at("count").get<int>()});
  }
  Signature signature(std::move(fields));
  for (const Json &each : arguments.at("fields"))
    if (signature.find(each.at("name").get<std::string>())->offset != each.at("offset").get<int>())
      return inputError(fmt::format("manifest.json: field {} does not lie where this version of "
                                    "sparsec has it",
                                    each.at("name").dump()));
  return signature;
}

/// One folder's kernels.
class Reader {
public:
  Reader(const Json &manifest, const FileContents &files) : manifest(manifest), files(files) {}

  Result<ProgramParts> read(int64_t layer, const Target &target) const {
    auto dtype = findDType(manifest.at("dtype").get<std::string>());
    if (!dtype)
      return inputError("manifest.json: expected a dtype");
    ProgramParts parts{.pattern = manifest.at("pattern").at("name"),
                       .target = target,
                       .dtype = *dtype,
                       .headDim = manifest.at("head_dim"),
                       .valueDim = manifest.at("value_dim"),
                       .entries = {}};
    Json heads = headsOf(layer);
    if (heads.empty() || heads.size() != heads[0].at("head_step").get<size_t>())
      return inputError("manifest.json: expected the kernels of every entry of the layer");
    for (const Json &head : heads) {
      auto entry =
          entryOf(manifest.at("pattern_heads").at(head.at("pattern_head").get<size_t>()), parts);
      if (!entry)
        return entry.error();
      parts.entries.push_back(std::move(*entry));
    }
    return parts;
  }

private:
  const Json &manifest;
  const FileContents &files;

  /// The uses of entries of the layer, in the order of the first heads.
  Json headsOf(int64_t layer) const {
    int64_t index = layer % manifest.at("layer_count").get<int64_t>();
    for (const Json &each : manifest.at("layers"))
      for (const Json &known : each.at("indices"))
        if (known == index) {
          Json heads = each.at("heads");
          std::sort(heads.begin(), heads.end(), [](const Json &a, const Json &b) {
            return a.at("head_first") < b.at("head_first");
          });
          return heads;
        }
    return Json::array();
  }

  Result<ProgramEntry> entryOf(const Json &head, const ProgramParts &parts) const {
    auto attend = predicateOf(head.at("attend"));
    if (!attend)
      return attend.error();
    ProgramEntry entry{head.at("name"), *attend, {}, {}, {}, {}, {}};
    const Json &byOperation = head.at("kernels").at(parts.target.name);
    for (const auto &[operation, indices] : byOperation.items())
      for (const Json &index : indices)
        if (auto added = add(entry, manifest.at("kernels").at(index.get<size_t>()), parts); !added)
          return added.error();
    return entry;
  }

  Result<void> add(ProgramEntry &entry, const Json &json, const ProgramParts &parts) const {
    auto kernel = kernelOf(json, parts.target);
    if (!kernel)
      return kernel.error();
    if (json.at("operation") == "forward") {
      AttentionRequest request;
      if (auto filled = fill(request, json, *kernel, parts); !filled)
        return filled;
      entry.forward.push_back({std::move(*kernel), std::move(request)});
      return {};
    }
    if (json.at("operation") == "decode")
      return addPart(entry.decode, AttentionDecodeRequest(), std::move(*kernel), json, parts);
    if (json.at("operation") == "mass")
      return addMass(entry, std::move(*kernel), json, parts);
    if (json.at("operation") != "backward")
      return {};
    AttentionBackwardRequest request;
    request.pass = json.at("pass") == "keys" ? AttentionBackwardRequest::Pass::Keys
                                             : AttentionBackwardRequest::Pass::Queries;
    auto &pass = request.pass == AttentionBackwardRequest::Pass::Keys ? entry.keys : entry.queries;
    return addPart(pass, std::move(request), std::move(*kernel), json, parts);
  }

  Result<void> addMass(ProgramEntry &entry, Kernel kernel, const Json &json,
                       const ProgramParts &parts) const {
    auto attend = predicateOf(json.at("attend"));
    if (!attend)
      return attend.error();
    AttentionMassRequest request{.entry = kernel.entry,
                                 .attend = *attend,
                                 .dtype = parts.dtype,
                                 .headDim = parts.headDim,
                                 .block = kernel.block,
                                 .target = parts.target};
    entry.mass.push_back({std::move(request), {std::move(kernel)}});
    return {};
  }

  /// Kernels of a part are in a row.
  template <class Part, class R>
  Result<void> addPart(std::vector<Part> &pass, R request, Kernel kernel, const Json &json,
                       const ProgramParts &parts) const {
    if (auto part = json.at("part").get<size_t>(); pass.size() <= part) {
      if (auto filled = fill(request, json, kernel, parts); !filled)
        return filled;
      pass.push_back({std::move(request), {}});
    }
    pass.back().kernels.push_back(std::move(kernel));
    return {};
  }

  template <class R>
  Result<void> fill(R &request, const Json &json, const Kernel &kernel,
                    const ProgramParts &parts) const {
    auto attend = predicateOf(json.at("attend"));
    auto queries = orderOf(json.at("query_order")), keys = orderOf(json.at("key_order"));
    if (!attend)
      return attend.error();
    if (!queries)
      return queries.error();
    if (!keys)
      return keys.error();
    int part = json.at("part"), count = json.at("parts");
    request.entry = kernel.entry;
    request.attend = *attend;
    request.queryOrder = *queries;
    request.keyOrder = *keys;
    request.part = {.first = part == 0, .last = part + 1 == count};
    request.dtype = parts.dtype;
    request.headDim = parts.headDim;
    request.valueDim = parts.valueDim;
    request.block = kernel.block;
    request.target = parts.target;
    return {};
  }

  Result<Expr> predicateOf(const std::string &text) const {
    return parsePredicate(std::make_shared<SourceText>(SourceText{"manifest.json", text}));
  }

  Result<Kernel> kernelOf(const Json &json, const Target &target) const {
    bool isHost = target.kind() == TargetKind::Cpu;
    auto code = files(json.at(isHost ? "shared_object" : "ptx"));
    auto grid = gridOf(json.at("grid"));
    auto signature = signatureOf(json.at("arguments"));
    if (!code)
      return code.error();
    if (!grid)
      return grid.error();
    if (!signature)
      return signature.error();
    Kernel kernel{.entry = json.at("entry"),
                  .operation = json.at("operation"),
                  .target = target,
                  .grid = *grid,
                  .block = {json.at("block").at("q"), json.at("block").at("k")}};
    kernel.signature = std::move(*signature);
    kernel.code = std::move(*code);
    if (isHost) {
      kernel.scratchBytes = json.at("scratch_bytes");
      kernel.usesAmx = json.at("uses_amx");
    } else {
      kernel.threads = json.at("threads");
      kernel.sharedBytes = json.at("shared_bytes");
    }
    return kernel;
  }
};

/// The targets of a folder that a device may run, best first. "cpu" is whatever machine compiled
/// it.
std::vector<Target> targetsFor(const Json &manifest, const Device &device) {
  static const std::vector<std::string> best = {
      "cpu",          "cpu-amx", "cpu-avx512bf16", "cpu-avx512", "cpu-avx2",
      "cpu-portable", "sm_90",   "sm_89",          "sm_86",      "sm_80"};
  std::set<std::string> there;
  for (const Json &head : manifest.at("pattern_heads"))
    for (const auto &[target, kernels] : head.at("kernels").items())
      there.insert(target);
  std::vector<Target> targets;
  TargetKind kind = targetOf(device).kind();
  for (const std::string &name : best)
    if (auto target = findTarget(name); there.contains(name) && target && target->kind() == kind)
      targets.push_back(*target);
  return targets;
}

Result<std::shared_ptr<Program>> load(const std::shared_ptr<Device> &device, const Json &manifest,
                                      const FileContents &files, int64_t layer) {
  if (manifest.at("format") != kFormat)
    return inputError(fmt::format("manifest.json: expected format {}, found {}", kFormat,
                                  manifest.at("format").dump()));
  if (layer < 0)
    return inputError(fmt::format("layer: expected a layer from 0, found {}", layer));
  Error last = machineError(
      fmt::format("the folder has no kernels for {}: {}", device->name(), device->description()));
  for (const Target &target : targetsFor(manifest, *device)) {
    auto parts = Reader(manifest, files).read(layer, target);
    if (!parts)
      return parts.error();
    auto program = Program::load(device, std::move(*parts));
    if (program || program.error().kind != ErrorKind::Machine)
      return program;
    last = program.error(); // a level that this machine lacks: the next one may do
  }
  return last;
}

} // namespace

Result<std::shared_ptr<Program>> loadProgram(const std::shared_ptr<Device> &device,
                                             const FileContents &files, int64_t layer) {
  auto text = files("manifest.json");
  if (!text)
    return text.error();
  try { // the library's, of what is missing or of another type
    return load(device, Json::parse(*text), files, layer);
  } catch (const nlohmann::json::exception &thrown) {
    return inputError(fmt::format("manifest.json: {}", thrown.what()));
  }
}

FileContents filesOfFolder(const std::string &folder) {
  return [folder](const std::string &name) -> Result<std::string> {
    std::string path = folder + "/" + name;
    if (name.find('/') != std::string::npos)
      return inputError(fmt::format("{}: expected a file of the folder", quote(name)));
    std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rbe"), fclose);
    if (!file)
      return inputError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
    std::string bytes;
    char buffer[1 << 16];
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, file.get())) > 0;)
      bytes.append(buffer, got);
    if (ferror(file.get()))
      return inputError(fmt::format("{}: cannot be read", path));
    return bytes;
  };
}

} // namespace sparsec
