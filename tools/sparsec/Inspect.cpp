// sparsec inspect RUN: what a trained model's attention looks at.
#include "tools/sparsec/Inspect.h"

#include "model/Safetensors.h"
#include "patterns/Zoo.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/Drawn.h"
#include "tools/sparsec/Options.h"

#include <charconv>
#include <fmt/format.h>

namespace sparsec::cli {
namespace {

/// The entry that a head of a layer has in another pattern.
const HeadEntry &entryOf(const Pattern &pattern, const Config &config, int64_t layer,
                         int64_t head) {
  for (const LayerEntry &each : entriesOfLayer(pattern, layer, config.model.heads))
    for (int64_t i = 0; i < each.heads.count; ++i)
      if (each.heads.first + i * each.heads.step == head)
        return pattern.heads[static_cast<size_t>(each.entry)];
  return pattern.heads.front();
}

} // namespace

Result<HeadFound> lookAt(AttentionView &view, int64_t head, const Config &config,
                         const Pattern *inside) {
  auto sums = view.sums(head);
  if (!sums)
    return sums.error();
  HeadFound found{.layer = view.layer(),
                  .head = head,
                  .entry = view.entry(head).name,
                  .queries = view.queries()};
  auto inputs = static_cast<double>(sums->size());
  double all = 0;
  for (const BlockSums &each : *sums) {
    found.effectiveKeys += each.effectiveKeys(view.queries()) / inputs;
    all += each.total();
  }
  if (sums->size() > 1)
    found.change = changeOf(*sums, view.queries());
  if (inside) {
    auto mass = view.mass(head, entryOf(*inside, config, view.layer(), head).attend);
    if (!mass)
      return mass.error();
    double sum = 0;
    for (double each : *mass)
      sum += each;
    found.inside = sum / all;
  }
  found.first = std::move(sums->front());
  return found;
}

namespace {

/// [count, each] tokens that the model reads.
struct Inputs {
  std::vector<uint8_t> tokens;
  int64_t count = 1;
};

/// A text or the beginning of a clip, in place of the run's data.
Result<Inputs> givenInput(const InspectOptions &asked, const Config &config) {
  const char *flag = asked.prompt ? "--prompt" : "--audio";
  if (config.data.kind != (asked.prompt ? "bytes" : "wav"))
    return inputError(fmt::format("{}: the run's data is {}, not {}", flag, config.data.kind,
                                  asked.prompt ? "text" : "sound"));
  Inputs given;
  if (asked.prompt) {
    given.tokens.assign(asked.prompt->begin(), asked.prompt->end());
    if (static_cast<int64_t>(given.tokens.size()) > config.model.length)
      return inputError(fmt::format("--prompt: expected at most {} bytes, the length of the model, "
                                    "found {}",
                                    config.model.length, given.tokens.size()));
  } else {
    auto clip = readSound(asked.audio);
    if (!clip)
      return clip.error();
    given.tokens = std::move(*clip);
    if (static_cast<int64_t>(given.tokens.size()) > config.model.length)
      given.tokens.resize(static_cast<size_t>(config.model.length));
  }
  if (given.tokens.empty())
    return inputError(fmt::format("{}: expected at least one {}, found none", flag,
                                  asked.prompt ? "byte" : "sample"));
  return given;
}

Result<Inputs> inputsOf(const InspectOptions &asked, const RunFolder &run, const Config &config) {
  if (asked.prompt || !asked.audio.empty())
    return givenInput(asked, config);
  auto data = Dataset::open(config, asked.data.empty() ? run.origin().data : asked.data);
  if (!data)
    return data.error();
  std::string split = asked.split;
  int64_t first = 0, count = asked.inputs, length = config.model.length;
  if (!asked.image.empty()) {
    size_t colon = asked.image.find(':');
    split = asked.image.substr(0, colon);
    first = -1;
    if (colon != std::string::npos)
      std::from_chars(asked.image.data() + colon + 1, asked.image.data() + asked.image.size(),
                      first);
    count = 1;
    if (first < 0 || (split != "train" && split != "valid" && split != "test"))
      return inputError(
          fmt::format("--image: expected SPLIT:INDEX, as test:17, found '{}'", asked.image));
  }
  Split which = split == "train" ? Split::Train : split == "valid" ? Split::Valid : Split::Test;
  auto tokens = data->tokens(which);
  int64_t there = static_cast<int64_t>(tokens.size()) / length;
  if (first + count > there)
    return inputError(fmt::format("expected {} whole sequences of {} in the split '{}', found {}",
                                  first + count, length, split, there));
  auto begin = tokens.begin() + first * length;
  return Inputs{.tokens = {begin, begin + count * length}, .count = count};
}

/// A query as a position in the sequence.
Result<int64_t> positionOf(const InspectOptions &asked, const Config &config,
                           const Inputs &inputs) {
  std::optional<Form> form = formOf(config);
  int64_t at = asked.query[0];
  if (asked.query.size() > 1) {
    int64_t channels = form ? form->channels : 1;
    int64_t row = asked.query[0], column = asked.query[1],
            channel = asked.query.size() > 2 ? asked.query[2] : 0;
    if (!form || row >= form->height || column >= form->width || channel >= channels)
      return inputError(form ? fmt::format("--query: expected a row, column and channel of a "
                                           "picture of {} x {} x {}",
                                           form->height, form->width, channels)
                             : fmt::format("--query: the run's data is {}: expected a position",
                                           config.data.kind));
    at = (row * form->width + column) * channels + channel;
  }
  if (at >= config.model.length)
    return inputError(fmt::format("--query: expected a position below the length of {}, found {}",
                                  config.model.length, at));
  if (auto each = static_cast<int64_t>(inputs.tokens.size()) / inputs.count; at > each)
    return inputError(fmt::format("--query: expected one of 0 to {}, the position after what is "
                                  "read, found {}",
                                  each, at));
  return at;
}

Result<std::shared_ptr<const Pattern>> insideOf(const InspectOptions &asked) {
  if (asked.inside.empty())
    return std::shared_ptr<const Pattern>();
  AttentionConfig attention{.pattern = asked.inside, .params = {}};
  PatternOverrides overrides;
  for (const std::string &each : asked.params)
    if (Result<void> added = addParam(overrides, each); !added)
      return added.error();
  attention.params = overrides.params;
  return loadPattern(attention);
}

void print(const Session &session, const std::vector<HeadFound> &heads) {
  bool changes = heads.front().change.has_value(), inside = heads.front().inside.has_value();
  if (session.json) {
    Json all = Json::array();
    for (const HeadFound &each : heads) {
      Json row = {{"layer", each.layer},
                  {"head", each.head},
                  {"entry", each.entry},
                  {"effective_keys", each.effectiveKeys}};
      if (changes)
        row["change"] = *each.change;
      if (inside)
        row["inside"] = *each.inside;
      all.push_back(row);
    }
    fmt::print("{}\n", Json{{"heads", all}}.dump(2));
    return;
  }
  std::vector<Table::Column> columns = {
      {"layer", Table::Right}, {"head", Table::Right}, {"entry"}, {"effective keys", Table::Right}};
  if (changes)
    columns.push_back({"change", Table::Right});
  if (inside)
    columns.push_back({"inside", Table::Right});
  Table table(columns);
  for (const HeadFound &each : heads) {
    std::vector<std::string> cells = {fmt::format("{}", each.layer), fmt::format("{}", each.head),
                                      each.entry, fmt::format("{:.1f}", each.effectiveKeys)};
    if (changes)
      cells.push_back(percent(*each.change));
    if (inside)
      cells.push_back(percent(*each.inside));
    table.add(std::move(cells));
  }
  fmt::print("{}", table.render(session.style));
  session.report("\neffective keys: as many, equally weighted, have the same sum of squares");
  if (changes)
    session.report("; change: of the block matrices from input to input, 0 % where position alone "
                   "decides");
  session.report("\n");
}

/// What is asked for, of every layer as the pass comes by it.
class Look {
public:
  Look(const InspectOptions &asked, const Config &config, const Transformer &model)
      : asked(asked), config(config) {
    if (asked.propose)
      proposal.emplace(model, asked.mass);
  }

  Result<void> operator()(AttentionView &view) {
    if (proposal)
      return proposal->look(view);
    if (asked.layer && *asked.layer != view.layer())
      return {};
    for (int64_t head = 0; head < config.model.heads; ++head) {
      if (asked.head && *asked.head != head)
        continue;
      auto found = lookAt(view, head, config, inside.get());
      if (!found)
        return found.error();
      heads.push_back(std::move(*found));
      if (query) {
        auto row = view.row(head, 0, *query);
        if (!row)
          return row.error();
        weights = std::move(*row);
      }
    }
    return {};
  }

  const InspectOptions &asked;
  const Config &config;
  std::shared_ptr<const Pattern> inside;
  std::optional<int64_t> query;
  std::optional<Proposal> proposal;
  std::vector<HeadFound> heads;
  std::vector<float> weights; ///< of the query
};

Result<void> finishProposal(const Session &session, const InspectOptions &asked,
                            const Proposal &proposal, const Config &config) {
  std::string name = config.name + "_proposed";
  std::ranges::replace(name, '-', '_');
  std::string text = print(proposal.pattern(name));
  std::string_view pieces[] = {text};
  if (Result<void> written = writeWhole(asked.out, pieces); !written)
    return written;
  if (session.json)
    fmt::print("{}\n", Json{{"pattern", asked.out}, {"heads", proposal.json()}}.dump(2));
  else
    fmt::print("{}", proposal.text());
  session.report(fmt::format("\nwrote {}: sparsec train --pattern {} goes on with it\n", asked.out,
                             asked.out));
  return {};
}

Result<void> writePicture(const InspectOptions &asked, const Look &look, const Config &config,
                          std::span<const uint8_t> tokens) {
  Figure figure = look.query ? queryFigure(config, tokens, look.weights, *look.query,
                                           fmt::format("{}, layer {}, head {}", config.name,
                                                       *asked.layer, *asked.head))
                             : matricesFigure(look.heads);
  auto raster = render(figure);
  if (!raster)
    return raster.error();
  return raster->writePng(asked.png);
}

Result<Answer> inspect(const Session &session, const InspectOptions &asked) {
  auto run = RunFolder::open(asked.run);
  if (!run)
    return run.error();
  auto model = modelOf(*run);
  if (!model)
    return model.error();
  const Config &config = (*model)->config();
  for (auto [flag, value, count] : {std::tuple{"--layer", asked.layer, config.model.layers},
                                    {"--head", asked.head, config.model.heads}})
    if (value && *value >= count)
      return inputError(
          fmt::format("{}: expected one of 0 to {}, found {}", flag, count - 1, *value));
  Look look(asked, config, **model);
  auto inside = insideOf(asked);
  if (!inside)
    return inside.error();
  look.inside = *inside;
  auto inputs = inputsOf(asked, *run, config);
  if (!inputs)
    return inputs.error();
  if (!asked.query.empty()) {
    auto at = positionOf(asked, config, *inputs);
    if (!at)
      return at.error();
    look.query = *at;
  }
  auto weights = weightsOf(*run, (*model)->parameters());
  if (!weights)
    return weights.error();
  auto machine = openMachine(asked.device, {.threads = session.threads});
  if (!machine)
    return machine.error();
  auto inspector = Inspector::load(*machine->machine, *model, inputs->count);
  if (!inspector)
    return inspector.error();
  if (auto done = inspector->run(weights->state.weights, inputs->tokens, std::ref(look)); !done)
    return done.error();
  if (look.proposal) {
    if (auto done = finishProposal(session, asked, *look.proposal, config); !done)
      return done.error();
    return Answer::Yes;
  }
  print(session, look.heads);
  if (!asked.png.empty()) {
    if (auto written = writePicture(asked, look, config, inputs->tokens); !written)
      return written.error();
    session.report(fmt::format("wrote {}\n", asked.png));
  }
  return Answer::Yes;
}

/// "16,8,0"
std::string readQuery(const std::string &text, std::vector<int64_t> &query) {
  query.clear();
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    int64_t value = 0;
    std::string wrong =
        readInteger(text.substr(begin, end - begin), {.low = 0, .high = INT32_MAX}, value);
    if (!wrong.empty())
      return wrong;
    query.push_back(value);
    begin = end + 1;
  }
  return query.size() > 3 ? "expected a position, or row,column,channel" : "";
}

} // namespace

Action declareInspect(Options &options) {
  auto asked = std::make_shared<InspectOptions>();
  auto text = [](std::string &into) {
    return [&into](const std::string &given) {
      into = given;
      return std::string();
    };
  };
  options.positional("RUN", asked->run);
  options.heading("Inspect");
  options.integer("--layer", "one layer (all)", asked->layer, {0, INT32_MAX});
  options.integer("--head", "one head (all)", asked->head, {0, INT32_MAX});
  options.value("--query", "N|ROW,COLUMN,CHANNEL", "with --png, what this token looks at",
                [asked](const std::string &given) { return readQuery(given, asked->query); });
  options.value("--inside", "PATTERN", "the share of the mass that lies inside it",
                text(asked->inside));
  options.repeated("--param", "K=V", "of --inside (repeatable)", [asked](const std::string &given) {
    asked->params.push_back(given);
    return std::string();
  });
  options.value("--png", "FILE", "draw: a query's weights, or block by block", text(asked->png));
  options.flag("--propose", "write the cheapest pattern that keeps --mass of each head",
               asked->propose);
  options.value("--mass", "SHARE", "that is kept (0.95)", [asked](const std::string &given) {
    auto [end, failure] = std::from_chars(given.data(), given.data() + given.size(), asked->mass);
    bool whole = failure == std::errc() && end == given.data() + given.size();
    return whole && asked->mass > 0 && asked->mass <= 1
               ? std::string()
               : fmt::format("expected a share above 0, at most 1, found '{}'", given);
  });
  options.value("-o,--out", "FILE", "the proposed pattern", text(asked->out));
  options.choice("--split", "NAME", "whose first sequences are read (test)", asked->split,
                 {"train", "valid", "test"});
  options.integer("--inputs", "sequences (4)", asked->inputs, {1, 256});
  options.value("--image", "SPLIT:INDEX", "one sequence instead, as test:17", text(asked->image));
  options.value("--prompt", "TEXT", "a text instead", [asked](const std::string &given) {
    asked->prompt = given;
    return std::string();
  });
  options.value("--audio", "FILE", "the beginning of a WAV file instead", text(asked->audio));
  options.value("--data", "PATH", "the data set (that of the run)", text(asked->data));
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    if (asked->run.empty())
      return "RUN: missing: the folder of a run";
    if (!asked->query.empty() && (!asked->layer || !asked->head || asked->png.empty()))
      return "--query: needs --layer, --head and --png";
    if (asked->propose && asked->out.empty())
      return "--propose: needs --out, the pattern's file";
    if (asked->prompt.has_value() + !asked->image.empty() + !asked->audio.empty() > 1)
      return "--prompt, --image, --audio: one of them at most";
    if (!asked->params.empty() && asked->inside.empty())
      return "--param: is of --inside";
    return "";
  });
  return [asked](Session &session) { return inspect(session, *asked); };
}

} // namespace sparsec::cli
