// The border to the CUDA library with libraries that need no CUDA: what is refused, what crosses, which device is taken.

#include "engine/cuda_library.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/open_backend.h"
#include "test/engine/library/fake_cuda.h"
#include "test/support/expect_error.h"
#include "test/support/tiny_engine.h"

namespace eyrie::test {
namespace {

class FailingLoad final : public WeightLoad {
 public:
  void load(WeightSink&) override { throw Error(ErrorCode::model_invalid, "a weight is NaN"); }
};

TEST(CudaLibrary, SaysHowToGetALibraryThatIsNotThere) {
  expect_error(ErrorCode::unsupported_device, "npm run native:cuda", [] { CudaLibrary("/nonexistent/libeyrie_cuda.so"); });
  expect_error(ErrorCode::unsupported_device, "--device cpu", [] { CudaLibrary("/nonexistent/libeyrie_cuda.so"); });
  EXPECT_TRUE(default_cuda_library().ends_with("/build-cuda/libeyrie_cuda.so")) << default_cuda_library();
}

TEST(CudaLibrary, RefusesWhatIsNoLibraryOfThisVersion) {
  TemporaryFolder folder;
  folder.write("text.so", "no library");
  expect_error(ErrorCode::unsupported_device, "cannot be loaded", [&] { CudaLibrary(folder.path() + "/text.so"); });
  std::filesystem::create_directory(folder.path() + "/folder.so");
  expect_error(ErrorCode::unsupported_device, "it is not a file", [&] { CudaLibrary(folder.path() + "/folder.so"); });
  expect_error(ErrorCode::unsupported_device, "version 99", [] { CudaLibrary(EYRIE_FAKE_CUDA_OLD); });
}

TEST(CudaLibrary, RefusesALibraryThatIsCutOff) {
  // What is not there would be mapped and end the process when it is touched.
  TemporaryFolder folder;
  const std::string file = folder.path() + "/cut.so";
  std::filesystem::copy_file(EYRIE_FAKE_CUDA, file);
  CudaLibrary whole(file);
  const uint64_t bytes = std::filesystem::file_size(file);
  for (const uint64_t kept : {uint64_t{10}, uint64_t{100}, uint64_t{5000}, bytes / 2, bytes - 1}) {
    const std::string cut = folder.path() + "/cut-" + std::to_string(kept) + ".so";
    std::filesystem::copy_file(EYRIE_FAKE_CUDA, cut);
    std::filesystem::resize_file(cut, kept);
    expect_error(ErrorCode::unsupported_device, kept == 10 ? "not a shared library" : "it is cut off", [&] { CudaLibrary{cut}; });
  }
}

TEST(CudaLibrary, NamesTheCards) {
  const std::vector<CudaCard> cards = CudaLibrary(EYRIE_FAKE_CUDA).cards();
  ASSERT_EQ(cards.size(), 2u);
  EXPECT_STREQ(cards[1].name, "fake card 1");
  EXPECT_EQ(cards[1].major, 9u);
}

TEST(CudaLibrary, CarriesErrorsAcrossTheBorder) {
  const CudaLibrary library(EYRIE_FAKE_CUDA);
  CudaOpenOptions options;
  FailingLoad load;
  options.slots = kDoesNotFit;
  expect_error(ErrorCode::out_of_memory, "does not fit", [&] { library.open(options, load); });
  options.slots = 1;
  expect_error(ErrorCode::model_invalid, "a weight is NaN", [&] { library.open(options, load); });
  options.slots = kLoadsNothing;
  const std::unique_ptr<Backend> backend = library.open(options, load);
  EXPECT_EQ(backend->info().kind, "fake card");
  expect_error(ErrorCode::out_of_memory, "thrown by the library", [&] { backend->forward({}, {}); });
  EXPECT_THROW(backend->draw({}), std::exception);
}

class OpenBackend : public ::testing::Test {
 protected:
  OpenBackend() : pool_(1, false) {
    write_checkpoint(folder_, tiny_config());
    options_.model_directory = folder_.path();
    options_.config = tiny_config();
    options_.isa = resolve_isa("auto");
    options_.slots = 2;
    options_.slot_tokens = options_.config.context_tokens;
    options_.prefill_tokens = 64;
    options_.device = DeviceChoice::automatic;
    options_.cuda = {EYRIE_FAKE_CUDA, kLoadsNothing, 64, 0};
  }
  OpenedBackend open() { return open_backend(options_, pool_, kNoProgress, kNotCancelled); }

  TemporaryFolder folder_;
  ThreadPool pool_;
  EngineOptions options_;
};

TEST_F(OpenBackend, TakesACardWhereThereIsOne) {
  OpenedBackend opened = open();
  EXPECT_EQ(opened.backend->info().device, DeviceKind::cuda);
  EXPECT_EQ(opened.why_cpu, "");
  options_.device = DeviceChoice::cpu;
  opened = open();
  EXPECT_EQ(opened.backend->info().device, DeviceKind::cpu);
  EXPECT_EQ(opened.backend->info().kind, isa_name(options_.isa));
  EXPECT_EQ(opened.why_cpu, "");
}

TEST_F(OpenBackend, TakesTheCpuWhereNoCardWillDo) {
  options_.cuda.slots = kDoesNotFit;
  OpenedBackend opened = open();
  EXPECT_EQ(opened.backend->info().device, DeviceKind::cpu);
  EXPECT_EQ(opened.why_cpu, "the model does not fit the fake card");
  options_.cuda.library = "/nonexistent/libeyrie_cuda.so";
  EXPECT_NE(open().why_cpu.find("/nonexistent/libeyrie_cuda.so"), std::string::npos);
  options_.dtype = DType::float32;
  options_.cuda = {EYRIE_FAKE_CUDA, kLoadsNothing, 64, 0};
  EXPECT_NE(open().why_cpu.find("float32"), std::string::npos);
}

TEST_F(OpenBackend, TakesNoOtherDeviceThanTheOneAskedFor) {
  options_.device = DeviceChoice::cuda;
  options_.cuda.slots = kDoesNotFit;
  expect_error(ErrorCode::out_of_memory, "does not fit", [&] { open(); });
  options_.cuda.library = "/nonexistent/libeyrie_cuda.so";
  expect_error(ErrorCode::unsupported_device, "does not exist", [&] { open(); });
}

TEST_F(OpenBackend, LeavesNoModelOfSeveralCardsToTheCpu) {
  options_.cuda.slots = kDoesNotFit;
  options_.cuda.cards = 2;
  expect_error(ErrorCode::out_of_memory, "does not fit", [&] { open(); });
}

TEST_F(OpenBackend, FailsWhereWeightsCannotBeLoaded) {
  // A card was there and began to load: what went wrong is not made up for by another device.
  options_.cuda.slots = 1;
  expect_error(ErrorCode::internal_error, "no memory", [&] { open(); });
}

TEST_F(OpenBackend, KnowsThatFp8NeedsACard) {
  options_.dtype = DType::fp8;
  EXPECT_EQ(open().backend->info().device, DeviceKind::cuda);
  options_.cuda.slots = kDoesNotFit;
  expect_error(ErrorCode::unsupported_device, "does not fit the fake card", [&] { open(); });
  options_.device = DeviceChoice::cpu;
  expect_error(ErrorCode::invalid_request, "--device cuda", [&] { open(); });
}

}  // namespace
}  // namespace eyrie::test
