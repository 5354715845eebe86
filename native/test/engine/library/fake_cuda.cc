// A library behind the border of cuda/open_cuda.h, without CUDA: what it does goes by the number of slots that is asked for.

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "cuda/open_cuda.h"
#include "test/engine/library/fake_cuda.h"

namespace eyrie {

namespace {

class FakeBackend final : public Backend {
 public:
  FakeBackend() {
    info_.device = DeviceKind::cuda;
    info_.kind = "fake card";
  }
  const BackendInfo& info() const override { return info_; }
  void open_slot(uint32_t, const SamplingParams&, std::span<const uint32_t>, uint32_t) override {}
  void release_pages(uint32_t) override {}
  void copy_prefix(uint32_t, uint32_t, uint32_t) override {}
  void forward(std::span<const int32_t>, std::span<const PassSpan>) override {
    throw Error(ErrorCode::out_of_memory, "thrown by the library");
  }
  void draw(std::span<const HeadRow>) override { throw std::runtime_error("thrown by the library"); }
  std::span<const HeadResult> collect() override { return {}; }
  void put_residual(std::span<const float>) override {}
  void get_residual(std::span<float>) override {}
  uint64_t multiply_adds() const override { return 0; }

 private:
  BackendInfo info_;
};

class NoSink final : public WeightSink {
 public:
  MatrixTarget* embedding() override { throw Error(ErrorCode::internal_error, "the fake card has no memory"); }
  MatrixTarget* own_head() override { return nullptr; }
  LayerTargets layer(uint32_t) override { return {}; }
  NormTargets final_norm() override { return {}; }
  std::span<std::byte> ring(size_t, size_t) override { return {}; }
  int readers() const override { return 1; }
  void wait_read(const std::byte*) override {}
  void finish() override {}
};

void tell(CudaStatus* status, ErrorCode code, const char* message) {
  status->failed = true;
  status->code = code;
  std::snprintf(status->message, sizeof(status->message), "%s", message);
}

}  // namespace

extern "C" {

uint32_t eyrie_cuda_border() { return EYRIE_FAKE_BORDER; }

uint32_t eyrie_cuda_cards(CudaCard* cards, uint32_t max, CudaStatus*) {
  for (uint32_t i = 0; i < 2 && i < max; ++i) {
    std::snprintf(cards[i].name, sizeof(cards[i].name), "fake card %u", i);
    cards[i].major = 9;
    cards[i].memory_bytes = uint64_t{80} << 30;
  }
  return 2;
}

Backend* eyrie_open_cuda(const CudaOpenOptions* options, WeightLoad* weights, CudaStatus* status) {
  if (options->slots == test::kDoesNotFit) {
    tell(status, ErrorCode::out_of_memory, "the model does not fit the fake card");
    return nullptr;
  }
  try {
    NoSink sink;
    if (options->slots != test::kLoadsNothing) weights->load(sink);
    return new FakeBackend;
  } catch (const Error& error) {
    tell(status, error.code(), error.what());
  } catch (const std::exception& error) {
    tell(status, ErrorCode::internal_error, error.what());
  }
  return nullptr;
}

}  // extern "C"

}  // namespace eyrie
