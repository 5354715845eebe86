#include "cpu/isa.h"

#include <algorithm>
#include <string>

#include "error.h"
#include "oracle.h"

namespace eyrie::test {
namespace {

TEST(Isa, AutoIsTheFastestSupported) {
  const std::vector<Isa> usable = supported_isas();
  EXPECT_EQ(usable.front(), Isa::scalar);
  std::vector<Isa> fast = usable;
  if (fast.back() == Isa::amx && kEmulatedTiles) fast.pop_back();
  if (fast.back() == Isa::avx512bf16 && __builtin_cpu_is("intel") && !__builtin_cpu_is("cooperlake")) fast.pop_back();
  EXPECT_EQ(resolve_isa("auto"), fast.back());
  for (Isa isa : usable) EXPECT_EQ(resolve_isa(isa_name(isa)), isa);
}

TEST(Isa, SaysWhatIsMissingOrMisspelt) {
  for (const char* name : {"avx2", "avx512", "avx512vnni", "avx512bf16", "amx"}) {
    const std::vector<Isa> usable = supported_isas();
    if (std::any_of(usable.begin(), usable.end(), [&](Isa i) { return std::string(isa_name(i)) == name; })) continue;
    try {
      resolve_isa(name);
      FAIL() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::unsupported_device);
    }
  }
  try {
    resolve_isa("sse9");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::invalid_request);
    EXPECT_NE(std::string(e.what()).find("scalar"), std::string::npos);
  }
}

}  // namespace
}  // namespace eyrie::test
