#include "io/safetensors_header.h"

#include <gtest/gtest.h>

#include "test/support/expect_error.h"
#include "test/support/temporary_file.h"
#include "test/support/zip_builder.h"

namespace eyrie::test {
namespace {

std::vector<TensorInfo> parse(const std::string& header, uint64_t data_bytes) {
  return parse_safetensors_header(header, data_bytes, "m.safetensors");
}

void expect_refused(const std::string& header, uint64_t data_bytes, const std::string& reason) {
  expect_error(ErrorCode::model_invalid, reason, [&] { parse(header, data_bytes); });
}

TEST(SafetensorsHeader, GivesDtypeShapeAndPlaceInTheFile) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"a":{"shape":[],"data_offsets":[0,4],"dtype":"F32"}}   )";
  const auto tensors = parse(header, 16);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "b");
  EXPECT_EQ(tensors[0].dtype, TensorDtype::bf16);
  EXPECT_EQ(tensors[0].shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(tensors[0].offset, 8 + header.size() + 4);
  EXPECT_EQ(tensors[0].bytes, 12u);
  EXPECT_EQ(tensors[1].bytes, 4u);
}

TEST(SafetensorsHeader, TakesEmptyTensorsBetweenOthers) {
  EXPECT_EQ(
      parse(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          8)
          .size(),
      3u);
}

TEST(SafetensorsHeader, RefusesTensorsWithoutOneOfTheirMembers) {
  expect_refused(R"({"a":{"dtype":"F32","shape":[1]}})", 4, "needs dtype, shape and data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "needs");
  expect_refused(R"({"a":{}})", 4, "needs");
  expect_refused(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype twice");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "unknown key");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "[begin, end]");
  expect_refused(R"({"a":5})", 4, "expected '{'");
  expect_refused(R"({"__metadata__":{"a":5}})", 0, "expected");
  expect_refused(R"({"__metadata__":{"a":"x","a":"y"}})", 0, "duplicate");
}

TEST(SafetensorsHeader, RefusesRangesThatDoNotTileTheData) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first + R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second +
           "}}";
  };
  EXPECT_EQ(parse(two("[4,8]", "[0,4]"), 8).size(), 2u);
  expect_refused(two("[0,4]", "[0,4]"), 8, "overlaps");
  expect_refused(two("[0,4]", "[2,6]"), 8, "overlaps");
  expect_refused(two("[0,4]", "[5,9]"), 9, "gap");
  expect_refused(two("[0,4]", "[4,8]"), 7, "incomplete");
  expect_refused(two("[0,4]", "[4,8]"), 9, "the file holds 9");
  expect_refused(two("[0,4]", "[18446744073709551612,18446744073709551615]"), 8, "does not fill");
}

TEST(SafetensorsHeader, BoundsNamesDimensionsAndHeader) {
  expect_refused(R"({")" + std::string(513, 'n') + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "too long");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4, "dimensions");
  const TemporaryFolder folder;
  std::string bytes;
  append_number(bytes, 100'000'001, 8);
  const std::string file = folder.write("m.safetensors", bytes + "{");
  expect_error(ErrorCode::model_invalid, "header length", [&] { read_safetensors_header(InputFile(file)); });
}

TEST(SafetensorsHeader, ShowsHostileNamesHarmlessly) { expect_refused("{\"\\u001b[2J\xff\":{}}", 0, "\"\\x1b[2J\\xff\""); }

}  // namespace
}  // namespace eyrie::test
