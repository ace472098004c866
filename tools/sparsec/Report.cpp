// sparsec report RUN: one HTML page about a run.
#include "model/Safetensors.h"
#include "model/Sampler.h"
#include "tools/sparsec/CompareRuns.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/Drawn.h"
#include "tools/sparsec/Html.h"
#include "tools/sparsec/Inspect.h"
#include "tools/sparsec/MemoryTable.h"
#include "tools/sparsec/ModelFlags.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/Views.h"

#include <fmt/format.h>
#include <set>

namespace sparsec::cli {
namespace {

struct ReportOptions {
  std::string run, out, data, device;
  int64_t samples = 4, length = 256, inputs = 2;
};

/// What the page is made of.
struct Reported {
  const ReportOptions &asked;
  RunLog log;
  RunFolder folder;
  std::shared_ptr<const Transformer> model;
  ModelMachine machine;
  uint64_t seed = 0;
};

std::string number(const std::optional<double> &value, const char *unit) {
  return value ? fmt::format("{:.4f} {}", *value, unit) : "none yet";
}

void addSummary(HtmlPage &page, const Reported &all) {
  const RunLog &log = all.log;
  auto ofStart = [&](const char *key) {
    if (!log.start.is_object() || !log.start.contains(key))
      return std::string("unknown");
    const Json &value = log.start[key];
    return value.is_string()           ? value.get<std::string>()
           : value.is_number_integer() ? grouped(value.get<int64_t>())
                                       : value.dump();
  };
  auto bits = RunLog::values(log.train, "bits");
  std::optional<double> last;
  if (!bits.empty())
    last = bits.back().second;
  page.heading("Summary");
  std::vector<std::vector<std::string>> rows = {
      {"", ""},
      {"steps", grouped(log.steps())},
      {"tokens", grouped(log.tokens())},
      {"training, last report", number(last, "bits")},
      {"validation, best", number(log.bestBits(), "bits")},
      {"parameters", ofStart("parameters")},
      {"device", ofStart("device")},
      {"processes", ofStart("processes")},
      {"memory planned", ofStart("planned_bytes") + " bytes"},
      {"time of a step", fmt::format("{:.1f} ms", log.stepMilliseconds())},
      {"ended", log.end.is_object() ? log.end.value("reason", "") : "no"}};
  if (log.end.is_object())
    rows.push_back({"memory of the process, most",
                    grouped(log.end.value("peak_bytes", int64_t(0))) + " bytes"});
  if (log.start.is_object() && log.start.contains("data"))
    for (const Json &each : log.start["data"])
      rows.push_back({"data " + each.value("name", ""),
                      fmt::format("{} bytes, SHA-256 {}", grouped(each.value("bytes", int64_t(0))),
                                  each.value("sha256", ""))});
  page.table(rows);
}

Result<void> addCurves(HtmlPage &page, const Reported &all) {
  page.heading("Curves");
  Plot bits = bitsPlot({all.log});
  auto add = [&](const Plot &plot) -> Result<void> {
    auto png = render(plot).png();
    if (!png)
      return png.error();
    page.picture(*png, plot.title);
    return {};
  };
  if (Result<void> added = add(bits); !added)
    return added;
  for (auto [title, key] : {std::pair{"norm of the gradient", "grad_norm"},
                            {"learning rate", "learning_rate"},
                            {"tokens per second", "tokens_per_second"}}) {
    Plot plot{.title = title, .xLabel = "step", .yLabel = "", .series = {{key, {}}}};
    plot.size.height = 260;
    for (auto [step, value] : RunLog::values(all.log.train, key))
      plot.series[0].points.push_back({static_cast<double>(step), value});
    if (!plot.series[0].points.empty())
      if (Result<void> added = add(plot); !added)
        return added;
  }
  return {};
}

/// Who sees whom, of every head and distinct layer; squares of pairs where the sequence is long.
Result<void> addPattern(HtmlPage &page, const Reported &all) {
  page.heading("Pattern");
  const Pattern &pattern = all.model->pattern();
  const ModelConfig &config = all.model->config().model;
  Figure figure{.title = pattern.name,
                .subtitle = fmt::format("{} tokens", grouped(config.length)),
                .columns = {},
                .legend = {}};
  for (const Layer &layer : distinctLayers(pattern))
    for (const EntryUse &use : usesOf(layer, config.heads)) {
      if (use.heads.count == 0)
        continue;
      const HeadEntry &head = pattern.heads[static_cast<size_t>(use.entry)];
      FigureColumn column{head.name, {}};
      if (layer.of > 1)
        column.title = layer.title() + ": " + head.name;
      if (config.length <= kMostPairs) {
        column.rows.push_back({pairsPanel({{head.name, head.attend, use.heads.first}},
                                          {.n = config.length, .nq = config.length})});
      } else {
        auto scale = static_cast<int>((config.length + kMostPairs - 1) / kMostPairs);
        auto layout = BlockLayout::build(head.attend, {.nq = config.length,
                                                       .nk = config.length,
                                                       .h = use.heads.first,
                                                       .blockQ = scale,
                                                       .blockK = scale});
        if (!layout)
          return layout.error();
        column.rows.push_back(
            {squaresPanel(fmt::format("{0} x {0} pairs a square", scale), *layout)});
        figure.legend = legendOfBlocks();
      }
      figure.columns.push_back(std::move(column));
    }
  auto raster = render(figure);
  if (!raster)
    return raster.error();
  auto png = raster->png();
  if (!png)
    return png.error();
  page.picture(*png, "who sees whom: queries down, keys across");
  page.preformatted(all.log.pattern);
  return {};
}

/// Drawn now, with the run's best weights.
Result<void> addSamples(HtmlPage &page, Reported &all) {
  if (all.asked.samples == 0)
    return {};
  page.heading("Samples");
  const Config &config = all.model->config();
  std::optional<Form> form = formOf(config);
  bool isSound = config.data.kind == "wav";
  auto weights = weightsOf(all.folder, all.model->parameters());
  if (!weights)
    return weights.error();
  auto sampler = Sampler::load(*all.machine.machine, all.model,
                               {.count = all.asked.samples, .seed = all.seed});
  if (!sampler)
    return sampler.error();
  if (auto started = sampler->start(weights->state.weights); !started)
    return started.error();
  int64_t length = std::min(config.model.length, form ? form->tokens() : all.asked.length);
  std::vector<std::vector<uint8_t>> drawn(static_cast<size_t>(all.asked.samples));
  for (int64_t t = 0; t < length; ++t) {
    auto tokens = sampler->next();
    if (!tokens)
      return tokens.error();
    for (size_t i = 0; i < drawn.size(); ++i)
      drawn[i].push_back((*tokens)[i]);
  }
  page.paragraph(fmt::format("Drawn from {} at temperature 1, seed {}.", weights->file, all.seed));
  if (form) {
    auto png = pictures(*form, drawn, static_cast<int>(drawn.size())).png();
    if (!png)
      return png.error();
    page.picture(*png, "drawn from nothing");
  } else if (isSound) {
    page.sound(sound(drawn), fmt::format("{} clips of {:.3f} s", drawn.size(),
                                         static_cast<double>(length) / kSoundRate));
  } else {
    for (const std::vector<uint8_t> &each : drawn) {
      std::string bytes(each.begin(), each.end());
      page.preformatted(takeText(bytes, Rest::None));
    }
  }
  return {};
}

/// A few layers, from the first to the last.
std::set<int64_t> someLayers(int64_t layers) {
  constexpr int64_t kMost = 4;
  std::set<int64_t> some;
  for (int64_t i = 0; i < kMost; ++i)
    some.insert(i * (layers - 1) / (kMost - 1));
  return some;
}

/// What the heads of a few layers look at on the first sequences of the test split.
Result<void> addAttention(HtmlPage &page, Reported &all) {
  const Config &config = all.model->config();
  if (all.asked.inputs == 0)
    return {};
  page.heading("Attention");
  auto data =
      Dataset::open(config, all.asked.data.empty() ? all.folder.origin().data : all.asked.data);
  auto wanted = static_cast<size_t>(all.asked.inputs * config.model.length);
  if (!data || data->tokens(Split::Test).size() < wanted) {
    page.paragraph(data ? "The test split is too short." : data.error().message);
    return {};
  }
  auto weights = weightsOf(all.folder, all.model->parameters());
  if (!weights)
    return weights.error();
  auto inspector = Inspector::load(*all.machine.machine, all.model, all.asked.inputs);
  if (!inspector)
    return inspector.error();
  std::set<int64_t> layers = someLayers(config.model.layers);
  constexpr int64_t kMostHeads = 8;
  std::vector<HeadFound> heads;
  auto run =
      inspector->run(weights->state.weights, data->tokens(Split::Test).first(wanted),
                     [&](AttentionView &view) -> Result<void> {
                       for (int64_t head = 0; layers.contains(view.layer()) &&
                                              head < std::min(config.model.heads, kMostHeads);
                            ++head) {
                         auto found = lookAt(view, head, config);
                         if (!found)
                           return found.error();
                         heads.push_back(std::move(*found));
                       }
                       return {};
                     });
  if (!run)
    return run;
  auto raster = render(matricesFigure(heads));
  if (!raster)
    return raster.error();
  auto png = raster->png();
  if (!png)
    return png.error();
  page.picture(*png, "where the weights lie, on the first sequence of the test split");
  std::vector<std::vector<std::string>> rows = {
      {"layer", "head", "entry", "effective keys", "change"}};
  for (const HeadFound &each : heads)
    rows.push_back({fmt::format("{}", each.layer), fmt::format("{}", each.head), each.entry,
                    fmt::format("{:.1f}", each.effectiveKeys),
                    each.change ? percent(*each.change) : "-"});
  page.table(rows);
  page.paragraph("Effective keys: as many, equally weighted, have the same sum of squares. Change: "
                 "of the block matrices from input to input.");
  return {};
}

Result<void> addMemoryAndTime(HtmlPage &page, const Reported &all) {
  page.heading("Memory");
  PlanningMachine planning = planningMachine(all.machine.machine->target, all.machine.store.get());
  auto table = MemoryTable::of(*planning.machine, *all.model);
  if (!table)
    return table.error();
  page.table(table->rows(*all.model));
  page.paragraph("Of one sequence: what n x n attention weights would take in f32, and what a step "
                 "of this model takes, stored and recomputed.");
  page.heading("Time");
  std::vector<CallList> lists = Trainer::lists(*all.model);
  planning.machine->loaded.clear();
  if (auto memory = ListMemory::allocate(*planning.machine, lists); !memory)
    return memory.error();
  struct Share {
    int64_t calls = 0;
    double flops = 0, seconds = 0;
  };
  std::map<std::string, Share> shares;
  double seconds = 0;
  for (const CallList *list : {&lists[2], &lists[1]})
    for (const Call &call : list->all()) {
      Share &share = shares[std::string(call.operation->operation())];
      share.calls += 1;
      share.flops += call.operation->flops();
      share.seconds += call.loaded.seconds;
      seconds += call.loaded.seconds;
    }
  std::vector<std::vector<std::string>> rows = {
      {"operation", "calls", "GFLOP", "predicted", "share"}};
  for (const auto &[name, share] : shares)
    rows.push_back({name, grouped(share.calls), fmt::format("{:.3f}", share.flops * 1e-9),
                    fmt::format("{:.3f} ms", share.seconds * 1e3),
                    percent(share.seconds / seconds)});
  page.table(rows);
  page.paragraph(fmt::format(
      "A run of {} by the cost model of {}: {:.1f} ms; steps of the run took {:.1f} ms.",
      counted(all.model->config().train.microBatch, "sequence"), planning.machine->target.name,
      seconds * 1e3, all.log.stepMilliseconds()));
  return {};
}

Result<Answer> report(const Session &session, const ReportOptions &asked) {
  auto log = readRunLog(asked.run);
  if (!log)
    return log.error();
  auto folder = RunFolder::open(asked.run);
  if (!folder)
    return folder.error();
  auto model = modelOf(*folder);
  if (!model)
    return model.error();
  auto machine = openMachine(asked.device, {.threads = session.threads});
  if (!machine)
    return machine.error();
  Reported all{.asked = asked,
               .log = std::move(*log),
               .folder = std::move(*folder),
               .model = *model,
               .machine = std::move(*machine),
               .seed = session.seed};
  HtmlPage page(fmt::format("{}: {}", asked.run, (*model)->config().name));
  addSummary(page, all);
  for (auto add : {addCurves, addPattern})
    if (Result<void> added = add(page, all); !added)
      return added.error();
  if (Result<void> added = addSamples(page, all); !added)
    return added.error();
  if (Result<void> added = addAttention(page, all); !added)
    return added.error();
  if (Result<void> added = addMemoryAndTime(page, all); !added)
    return added.error();
  page.heading("Config");
  page.preformatted(all.log.config);
  std::string path = asked.out.empty() ? asked.run + "/report.html" : asked.out;
  std::string whole = page.whole();
  std::string_view pieces[] = {whole};
  if (Result<void> written = writeWhole(path, pieces); !written)
    return written.error();
  session.report(fmt::format("wrote {}, {}\n", path, fileSize(whole.size())));
  if (session.json)
    fmt::print("{}\n", Json{{"report", path}, {"bytes", whole.size()}}.dump(2));
  return Answer::Yes;
}

} // namespace

Action declareReport(Options &options) {
  auto asked = std::make_shared<ReportOptions>();
  auto text = [](std::string &into) {
    return [&into](const std::string &given) {
      into = given;
      return std::string();
    };
  };
  options.positional("RUN", asked->run);
  options.heading("Report");
  options.integer("--samples", "sequences to draw; 0: none (4)", asked->samples, {0, 64});
  options.integer("--length", "tokens of each, of text and sound (256)", asked->length);
  options.integer("--inputs", "sequences that attention is looked at on; 0: none (2)",
                  asked->inputs, {0, 64});
  options.value("--data", "PATH", "the data set (that of the run)", text(asked->data));
  options.value("-o,--out", "FILE", "the page (RUN/report.html)", text(asked->out));
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    return asked->run.empty() ? "RUN: missing: the folder of a run" : "";
  });
  return [asked](Session &session) { return report(session, *asked); };
}

} // namespace sparsec::cli
