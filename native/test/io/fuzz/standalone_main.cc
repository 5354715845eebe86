// Runs a fuzz target without libFuzzer: first the seeds as they are, then a fixed number of mutations of them. The same arguments
// give the same inputs, so a finding can be repeated: the number of the run is printed before it starts when --trace is given.
//
//   fuzz_torch_archive [--runs N] [--seed S] [--trace] [input files, run as they are...]

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "test/io/fuzz/fuzz_target.h"

namespace {

void run(const std::string& input) { LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size()); }

class Mutator {
 public:
  Mutator(uint64_t seed, std::vector<std::string> seeds) : random_(seed), seeds_(std::move(seeds)) {}

  std::string next() {
    std::string input = seeds_[below(seeds_.size())];
    for (size_t steps = 1 + below(8); steps > 0; --steps) mutate(input);
    return input;
  }

 private:
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void mutate(std::string& input) {
    const size_t at = below(input.size());
    const size_t count = std::min(1 + below(16), input.size() - at);
    switch (below(8)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        return;
      case 1:
        if (!input.empty()) input[at] = static_cast<char>(below(256));
        return;
      case 2: input.erase(at, count); return;
      case 3: input.insert(at, input.substr(at, count)); return;
      case 4: input.insert(at, 1, static_cast<char>(below(256))); return;
      case 5: return overwrite_number(input, at);
      case 6: input.resize(at); return;
      default: {
        const std::string& other = seeds_[below(seeds_.size())];
        input = input.substr(0, at) + other.substr(below(other.size()));
      }
    }
  }

  /// Sizes and offsets go wrong at their limits.
  void overwrite_number(std::string& input, size_t at) {
    static constexpr uint64_t kLimits[] = {
        0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, ~uint64_t{0}};
    const uint64_t value = kLimits[below(std::size(kLimits))];
    const size_t bytes = size_t{1} << below(4);
    for (size_t i = 0; i < bytes && at + i < input.size(); ++i) input[at + i] = static_cast<char>(value >> (8 * i));
  }

  std::mt19937_64 random_;
  std::vector<std::string> seeds_;
};

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 20'000;
  uint64_t seed = 1;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
      runs = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--trace") == 0) {
      trace = true;
    } else {
      std::ifstream file(argv[i], std::ios::binary);
      run(std::string(std::istreambuf_iterator<char>(file), {}));
    }
  }
  for (const std::string& input : fuzz_seeds()) run(input);
  Mutator mutator(seed, fuzz_seeds());
  for (uint64_t i = 0; i < runs; ++i) {
    if (trace) {
      std::printf("run %llu\n", static_cast<unsigned long long>(i));
      std::fflush(stdout);
    }
    run(mutator.next());
  }
  std::printf("%llu inputs, nothing found\n", static_cast<unsigned long long>(runs));
  return 0;
}
