#include "model/Sampler.h"

#include "model/Random.h"
#include "runtime/Float16.h"

#include <fmt/format.h>

namespace sparsec {

Result<Sampler> Sampler::load(Machine &machine, std::shared_ptr<const Transformer> model,
                              const SamplerOptions &options) {
  Sampler made;
  made.machine = &machine;
  made.model = std::move(model);
  made.options = options;
  CallList list = made.model->list(ListUse::Decode,
                                   {.batch = options.count, .temperature = options.temperature});
  auto memory = ListMemory::allocate(machine, std::span(&list, 1));
  if (!memory)
    return memory.error();
  made.memory = std::move(*memory);
  made.list = RunningList::bind(list, made.memory);
  return made;
}

Result<void> Sampler::start(std::span<const float> weights) {
  Device &device = machine->device;
  if (auto done = device.copyToDevice(memory.address(buffers::kParameters), weights.data(),
                                      weights.size_bytes());
      !done)
    return done;
  if (DType type = model->dtype(); type != DType::F32) {
    std::vector<uint16_t> rounded;
    for (float weight : weights)
      rounded.push_back(type == DType::BF16 ? floatToBf16(weight) : floatToF16(weight));
    if (auto done = device.copyToDevice(memory.address(buffers::kWeights), rounded.data(),
                                        rounded.size() * sizeof(uint16_t));
        !done)
      return done;
  }
  // Keys that are not there yet are masked; what is masked is multiplied with 0 all the same.
  const ModelConfig &config = model->config().model;
  int64_t row = 2 * config.qkWidth() + config.width;
  std::vector<std::byte> zeros(
      static_cast<size_t>(options.count * config.length * row * bytes(model->dtype())));
  for (int64_t layer = 0; layer < config.layers; ++layer)
    if (auto done =
            device.copyToDevice(memory.address(buffers::cache(layer)), zeros.data(), zeros.size());
        !done)
      return done;
  std::vector<int32_t> first(static_cast<size_t>(options.count), static_cast<int32_t>(kStart));
  at = 0;
  return device.copyToDevice(memory.address(buffers::kTokens), first.data(),
                             first.size() * sizeof(int32_t));
}

Result<std::vector<uint8_t>> Sampler::next(std::span<const std::optional<uint8_t>> forced) {
  Device &device = machine->device;
  if (at >= model->config().model.length)
    return inputError(fmt::format("expected at most {} tokens, the length of the model",
                                  model->config().model.length));
  uint64_t seed = CounterRandom(options.seed, RandomStream::Sample).bits(static_cast<uint64_t>(at));
  if (auto done = device.copyToDevice(memory.address(buffers::kSeed), &seed, sizeof seed); !done)
    return done.error();
  std::vector<int32_t> lengths(static_cast<size_t>(options.count), static_cast<int32_t>(at + 1));
  if (auto done = device.copyToDevice(memory.address(buffers::kLengths), lengths.data(),
                                      lengths.size() * sizeof(int32_t));
      !done)
    return done.error();
  if (auto done = list.enqueue(at); !done)
    return done.error();
  std::vector<int32_t> drawn(static_cast<size_t>(options.count));
  DeviceAddress tokens = memory.address(buffers::kTokens);
  size_t size = drawn.size() * sizeof(int32_t);
  if (auto done = device.copyToHost(drawn.data(), tokens, size); !done)
    return done.error();
  bool changed = false;
  for (size_t i = 0; i < forced.size(); ++i)
    if (forced[i]) {
      drawn[i] = *forced[i];
      changed = true;
    }
  if (changed)
    if (auto done = device.copyToDevice(tokens, drawn.data(), size); !done)
      return done.error();
  ++at;
  return std::vector<uint8_t>(drawn.begin(), drawn.end());
}

Result<std::vector<float>> Sampler::logits() const {
  auto count = static_cast<size_t>(options.count * kClasses);
  std::vector<std::byte> image(count * static_cast<size_t>(bytes(model->dtype())));
  if (auto done =
          machine->device.copyToHost(image.data(), memory.address(buffers::kLogits), image.size());
      !done)
    return done.error();
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    if (model->dtype() == DType::F32) {
      std::memcpy(&values[i], image.data() + i * sizeof(float), sizeof(float));
      continue;
    }
    uint16_t half = 0;
    std::memcpy(&half, image.data() + i * sizeof half, sizeof half);
    values[i] = model->dtype() == DType::BF16 ? bf16ToFloat(half) : f16ToFloat(half);
  }
  return values;
}

} // namespace sparsec
