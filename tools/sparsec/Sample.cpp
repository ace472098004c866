// sparsec sample RUN: text, pictures or sound from a run's model.
#include "model/Sampler.h"
#include "model/data/MuLaw.h"
#include "tools/picture/Raster.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/ModelFlags.h"
#include "tools/sparsec/Options.h"

#include <charconv>
#include <fmt/format.h>
#include <fstream>

namespace sparsec::cli {
namespace {

constexpr int64_t kRate = 12000; ///< samples of sound a second

struct SampleOptions {
  std::string run, data, device, prompt, image, png, wav;
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
  auto data = Dataset::open(config, asked.data.empty() ? run.origin().data : asked.data);
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

Result<Asked> whatIsAsked(const SampleOptions &asked, const RunFolder &run, const Config &config) {
  Asked found;
  int64_t longest = config.model.length;
  if (!asked.image.empty()) {
    auto picture = pictureOf(asked, run, config);
    if (!picture)
      return picture.error();
    found.truth = std::move(*picture);
    auto kept = static_cast<size_t>(asked.keep * static_cast<double>(found.truth.size()));
    found.prompt.assign(found.truth.begin(),
                        found.truth.begin() + static_cast<std::ptrdiff_t>(kept));
  } else {
    found.prompt.assign(asked.prompt.begin(), asked.prompt.end());
  }
  auto begun = static_cast<int64_t>(found.prompt.size());
  if (asked.seconds > 0)
    found.length = static_cast<int64_t>(asked.seconds * kRate);
  else if (asked.length)
    found.length = begun + *asked.length;
  else
    found.length = longest;
  if (found.length > longest)
    return inputError(fmt::format("expected at most {} tokens with the prompt, the length of the "
                                  "model, found {}",
                                  longest, found.length));
  return found;
}

/// Bytes of the UTF-8 character that begins a text: 0 where none does, -1 where it may go on.
int characterBytes(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  size_t wanted = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead >= 0xF5 || wanted == 0)
    return 0;
  for (size_t i = 1; i < wanted; ++i) {
    if (i == text.size())
      return -1;
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80)
      return 0;
  }
  return static_cast<int>(wanted);
}

/// What a model wrote, as UTF-8: a byte that begins no character becomes U+FFFD. A character that
/// may go on stays in `pending`, unless it is the end.
enum class Rest : uint8_t { MayFollow, None };
std::string takeText(std::string &pending, Rest rest) {
  std::string text;
  size_t at = 0;
  while (at < pending.size()) {
    int bytes = characterBytes(std::string_view(pending).substr(at));
    if (bytes < 0 && rest == Rest::MayFollow)
      break;
    text += bytes > 0 ? pending.substr(at, static_cast<size_t>(bytes)) : "\xEF\xBF\xBD";
    at += static_cast<size_t>(std::max(bytes, 1));
  }
  pending.erase(0, at);
  return text;
}

/// The form of a picture of so many bytes.
struct Form {
  int width = 0, height = 0, channels = 1;
};
Result<Form> formOf(const Config &config) {
  if (config.data.kind == "mnist")
    return Form{28, 28, 1};
  if (config.data.kind == "cifar10")
    return Form{32, 32, 3};
  if (config.data.kind == "imagenet64")
    return Form{64, 64, 3};
  return inputError(fmt::format("--png: the run's data is {}, not pictures", config.data.kind));
}

/// Pictures beside each other, each `scale` times as large; what was not drawn is white.
Result<void> writePictures(const std::string &path, const Form &form,
                           const std::vector<std::vector<uint8_t>> &pictures) {
  constexpr int kGap = 4;
  int scale = std::max(1, 128 / form.width);
  int across = form.width * scale + kGap;
  Raster raster(
      {across * static_cast<int>(pictures.size()) + kGap, form.height * scale + 2 * kGap});
  for (size_t i = 0; i < pictures.size(); ++i)
    for (size_t pixel = 0; pixel * form.channels + form.channels <= pictures[i].size(); ++pixel) {
      const uint8_t *bytes = pictures[i].data() + pixel * form.channels;
      Colour colour = form.channels == 3 ? Colour{bytes[0], bytes[1], bytes[2]}
                                         : Colour{bytes[0], bytes[0], bytes[0]};
      int x = static_cast<int>(pixel) % form.width, y = static_cast<int>(pixel) / form.width;
      raster.fill({kGap + static_cast<int>(i) * across + x * scale, kGap + y * scale, scale, scale},
                  colour);
    }
  return raster.writePng(path);
}

/// One channel of 16 bits, the clips one after another.
Result<void> writeSound(const std::string &path, const std::vector<std::vector<uint8_t>> &clips) {
  std::string samples;
  auto put = [](std::string &to, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      to += static_cast<char>(value >> 8 * i);
  };
  for (const auto &clip : clips)
    for (uint8_t token : clip)
      put(samples, static_cast<uint16_t>(muLawInverse(token)), 2);
  std::string header = "RIFF";
  constexpr uint32_t kHeader = 36, kFormat = 16, kPcm = 1, kBytes = 2, kBits = 16;
  put(header, kHeader + static_cast<uint32_t>(samples.size()), 4);
  header += "WAVEfmt ";
  put(header, kFormat, 4);
  put(header, kPcm, 2), put(header, 1, 2);
  put(header, kRate, 4), put(header, kRate * kBytes, 4);
  put(header, kBytes, 2), put(header, kBits, 2);
  header += "data";
  put(header, static_cast<uint32_t>(samples.size()), 4);
  std::ofstream file(path, std::ios::binary);
  file << header << samples;
  file.flush();
  if (!file)
    return machineError(fmt::format("{}: cannot be written", path));
  return {};
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
  auto wanted = whatIsAsked(asked, *run, config);
  if (!wanted)
    return wanted.error();
  Form form;
  if (!asked.png.empty()) {
    auto found = formOf(config);
    if (!found)
      return found.error();
    form = *found;
  }
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
  if (!asked.wav.empty())
    if (auto written = writeSound(asked.wav, *drawn); !written)
      return written.error();
  if (!asked.png.empty()) {
    std::vector<std::vector<uint8_t>> pictures = *drawn;
    if (!wanted->truth.empty()) { // prompt, completions, truth
      pictures.insert(pictures.begin(), wanted->prompt);
      pictures.push_back(wanted->truth);
    }
    if (auto written = writePictures(asked.png, form, pictures); !written)
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
  options.value("--keep", "SHARE", "of the picture that is given (0.5)", number(asked->keep, 0, 1));
  options.value("--png", "FILE", "pictures: prompt, completions and truth", text(asked->png));
  options.value("--seconds", "S", "of sound, 12,000 samples each", number(asked->seconds, 0, 1e6));
  options.value("--wav", "FILE", "sound: the clips one after another", text(asked->wav));
  options.value("--data", "PATH", "the data set (that of the run)", text(asked->data));
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    return asked->run.empty() ? "RUN: missing: the folder of a run" : "";
  });
  return [asked](Session &session) { return sample(session, *asked); };
}

} // namespace sparsec::cli
