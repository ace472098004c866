// sparsec sample RUN: text, pictures or sound from a run's model.
#include "model/Safetensors.h"
#include "model/Sampler.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/Drawn.h"
#include "tools/sparsec/ModelFlags.h"
#include "tools/sparsec/Options.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace sparsec::cli {
namespace {

struct SampleOptions {
  std::string run, data, device, prompt, image, audio, png, wav;
  std::optional<int64_t> length;
  int64_t count = 1;
  double keep = 0.5, temperature = 1, seconds = 0;
};

/// What sequences begin with, and how long they become.
struct Asked {
  std::vector<uint8_t> prompt;
  std::vector<uint8_t> truth; ///< of a picture: all of it
  int64_t length = 0;         ///< the prompt included
};

Result<Dataset> dataOf(const SampleOptions &asked, const RunFolder &run, const Config &config) {
  return Dataset::open(config, asked.data.empty() ? run.origin().data : asked.data);
}

Result<std::vector<uint8_t>> pictureOf(const SampleOptions &asked, const RunFolder &run,
                                       const Config &config) {
  size_t colon = asked.image.find(':');
  std::string split = asked.image.substr(0, colon);
  int64_t index = -1;
  if (colon != std::string::npos)
    std::from_chars(asked.image.data() + colon + 1, asked.image.data() + asked.image.size(), index);
  auto wrong = [&](const std::string &what) {
    return inputError(
        fmt::format("--image: expected {}, as test:17, found '{}'", what, asked.image));
  };
  if (index < 0 || (split != "train" && split != "valid" && split != "test"))
    return wrong("SPLIT:INDEX");
  auto data = dataOf(asked, run, config);
  if (!data)
    return data.error();
  Split which = split == "train" ? Split::Train : split == "valid" ? Split::Valid : Split::Test;
  auto tokens = data->tokens(which);
  int64_t item = data->item(), items = item ? static_cast<int64_t>(tokens.size()) / item : 0;
  if (index >= items)
    return wrong(fmt::format("one of the {} pictures of {}", items, split));
  auto picture = tokens.subspan(static_cast<size_t>(index * item), static_cast<size_t>(item));
  return std::vector<uint8_t>(picture.begin(), picture.end());
}

/// As many pictures of the test split as are drawn; none where the run's data is not at hand.
std::vector<std::vector<uint8_t>> realPictures(const Session &session, const SampleOptions &asked,
                                               const RunFolder &run, const Config &config) {
  std::vector<std::vector<uint8_t>> all;
  auto data = dataOf(asked, run, config);
  if (!data) {
    session.report(fmt::format("no real pictures beside them: {}\n", data.error().message));
    return all;
  }
  auto tokens = data->tokens(Split::Test);
  auto item = static_cast<size_t>(data->item());
  for (size_t i = 0; i < static_cast<size_t>(asked.count) && (i + 1) * item <= tokens.size(); ++i)
    all.emplace_back(tokens.begin() + static_cast<std::ptrdiff_t>(i * item),
                     tokens.begin() + static_cast<std::ptrdiff_t>((i + 1) * item));
  return all;
}

Result<Asked> whatIsAsked(const SampleOptions &asked, const RunFolder &run, const Config &config) {
  Asked found;
  int64_t longest = config.model.length;
  if (asked.seconds > 0)
    longest = std::min(longest, static_cast<int64_t>(std::llround(asked.seconds * kSoundRate)));
  if (!asked.image.empty()) {
    auto picture = pictureOf(asked, run, config);
    if (!picture)
      return picture.error();
    found.truth = std::move(*picture);
    auto kept = static_cast<size_t>(asked.keep * static_cast<double>(found.truth.size()));
    found.prompt.assign(found.truth.begin(),
                        found.truth.begin() + static_cast<std::ptrdiff_t>(kept));
  } else if (!asked.audio.empty()) {
    auto clip = readSound(asked.audio);
    if (!clip)
      return clip.error();
    found.prompt = std::move(*clip);
    auto most = static_cast<size_t>(asked.keep * static_cast<double>(longest));
    if (found.prompt.size() > most)
      found.prompt.resize(most);
  } else {
    found.prompt.assign(asked.prompt.begin(), asked.prompt.end());
  }
  auto begun = static_cast<int64_t>(found.prompt.size());
  if (asked.seconds > 0)
    found.length = static_cast<int64_t>(std::llround(asked.seconds * kSoundRate));
  else if (asked.length)
    found.length = begun + *asked.length;
  else
    found.length = longest;
  if (found.length > config.model.length)
    return inputError(fmt::format("expected at most {} tokens with the prompt, the length of the "
                                  "model, found {}",
                                  config.model.length, found.length));
  return found;
}

/// The sequences; of a single text what is drawn appears as it comes.
Result<std::vector<std::vector<uint8_t>>> draw(const Session &session, Sampler &sampler,
                                               const Asked &asked, int64_t count, bool streams) {
  std::vector<std::vector<uint8_t>> all(static_cast<size_t>(count));
  std::string pending;
  for (int64_t t = 0; t < asked.length; ++t) {
    std::vector<std::optional<uint8_t>> forced;
    if (t < static_cast<int64_t>(asked.prompt.size()))
      forced.assign(static_cast<size_t>(count), asked.prompt[static_cast<size_t>(t)]);
    auto tokens = sampler.next(forced);
    if (!tokens)
      return tokens.error();
    for (size_t i = 0; i < all.size(); ++i)
      all[i].push_back((*tokens)[i]);
    if (streams) {
      pending += static_cast<char>((*tokens)[0]);
      session.report(takeText(pending, Rest::MayFollow));
      fflush(stdout);
    }
  }
  if (streams)
    session.report(takeText(pending, Rest::None) + "\n");
  return all;
}

Result<Answer> sample(const Session &session, const SampleOptions &asked) {
  auto run = RunFolder::open(asked.run);
  if (!run)
    return run.error();
  auto model = modelOf(*run);
  if (!model)
    return model.error();
  const Config &config = (*model)->config();
  std::optional<Form> form = formOf(config);
  const std::string &kind = config.data.kind;
  for (auto [flag, given, fits, what] :
       {std::tuple{"--prompt", &asked.prompt, kind == "bytes", "text"},
        {"--image", &asked.image, form.has_value(), "pictures"},
        {"--png", &asked.png, form.has_value(), "pictures"},
        {"--audio", &asked.audio, kind == "wav", "sound"},
        {"--wav", &asked.wav, kind == "wav", "sound"}})
    if (!given->empty() && !fits)
      return inputError(fmt::format("{}: the run's data is {}, not {}", flag, kind, what));
  auto wanted = whatIsAsked(asked, *run, config);
  if (!wanted)
    return wanted.error();
  auto weights = weightsOf(*run, (*model)->parameters());
  if (!weights)
    return weights.error();
  auto machine = openMachine(asked.device, {.threads = session.threads});
  if (!machine)
    return machine.error();
  auto sampler =
      Sampler::load(*machine->machine, *model,
                    {.count = asked.count, .temperature = asked.temperature, .seed = session.seed});
  if (!sampler)
    return sampler.error();
  if (auto started = sampler->start(weights->state.weights); !started)
    return started.error();
  bool isText = config.data.kind == "bytes";
  auto drawn =
      draw(session, *sampler, *wanted, asked.count, isText && asked.count == 1 && !session.json);
  if (!drawn)
    return drawn.error();
  for (size_t i = 0; isText && asked.count > 1 && i < drawn->size(); ++i) {
    std::string bytes((*drawn)[i].begin(), (*drawn)[i].end());
    session.report(fmt::format("--- {}\n{}\n", i + 1, takeText(bytes, Rest::None)));
  }
  if (!asked.wav.empty()) {
    std::string file = sound(*drawn);
    std::string_view pieces[] = {file};
    if (auto written = writeWhole(asked.wav, pieces); !written)
      return written.error();
  }
  if (!asked.png.empty()) {
    std::vector<std::vector<uint8_t>> all = *drawn;
    constexpr int64_t kAcross = 8;
    int64_t across = std::min(asked.count, kAcross);
    if (!wanted->truth.empty()) { // prompt, completions, truth
      all.insert(all.begin(), wanted->prompt);
      all.push_back(wanted->truth);
      across = static_cast<int64_t>(all.size());
    } else { // what was drawn, and below it real ones
      all.resize(static_cast<size_t>((asked.count + across - 1) / across * across));
      std::ranges::move(realPictures(session, asked, *run, config), std::back_inserter(all));
    }
    if (auto written = pictures(*form, all, static_cast<int>(across)).writePng(asked.png); !written)
      return written.error();
  }
  if (session.json)
    fmt::print("{}\n",
               Json{{"run", asked.run}, {"weights", weights->file}, {"tokens", *drawn}}.dump());
  return Answer::Yes;
}

} // namespace

Action declareSample(Options &options) {
  auto asked = std::make_shared<SampleOptions>();
  auto text = [](std::string &into) {
    return [&into](const std::string &given) {
      into = given;
      return std::string();
    };
  };
  auto number = [](double &into, double low, double high) {
    return [&into, low, high](const std::string &given) {
      auto [end, failure] = std::from_chars(given.data(), given.data() + given.size(), into);
      bool whole = failure == std::errc() && end == given.data() + given.size();
      return whole && into >= low && into <= high
                 ? std::string()
                 : fmt::format("expected a number from {} to {}, found '{}'", low, high, given);
    };
  };
  options.positional("RUN", asked->run);
  options.heading("Sample");
  options.value("--prompt", "TEXT", "what the text begins with", text(asked->prompt));
  options.integer("--length", "tokens after the prompt (to the model's length)", asked->length);
  options.integer("--count", "sequences (1)", asked->count, {1, 4096});
  options.value("--temperature", "T", "1: the model's own probabilities; 0: the likeliest (1)",
                number(asked->temperature, 0, 100));
  options.value("--image", "SPLIT:INDEX", "a picture of the data to complete, as test:17",
                text(asked->image));
  options.value("--audio", "FILE", "a WAV file that the clips go on from", text(asked->audio));
  options.value("--keep", "SHARE", "of the picture, or at most of the clip, that is given (0.5)",
                number(asked->keep, 0, 1));
  options.value("--png", "FILE",
                "pictures: prompt, completions and truth; or what is drawn, and real ones",
                text(asked->png));
  options.value("--seconds", "S", "of sound, 12,000 samples each", number(asked->seconds, 0, 1e6));
  options.value("--wav", "FILE", "sound: the clips one after another", text(asked->wav));
  options.value("--data", "PATH", "the data set (that of the run)", text(asked->data));
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    int given = !asked->prompt.empty() + !asked->image.empty() + !asked->audio.empty();
    if (given > 1)
      return "--prompt, --image, --audio: one of them at most";
    return asked->run.empty() ? "RUN: missing: the folder of a run" : "";
  });
  return [asked](Session &session) { return sample(session, *asked); };
}

} // namespace sparsec::cli
