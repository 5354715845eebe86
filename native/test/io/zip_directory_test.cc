#include "io/zip_directory.h"

#include <gtest/gtest.h>

#include <string>

#include "test/support/expect_error.h"
#include "test/support/temporary_file.h"
#include "test/support/zip_builder.h"

namespace eyrie::test {
namespace {

std::vector<ZipEntry> read(const std::string& bytes) {
  const TemporaryFolder folder;
  return read_zip_directory(InputFile(folder.write("file.bin", bytes)));
}

void expect_refused(const std::string& bytes, const std::string& reason) {
  expect_error(ErrorCode::model_invalid, reason, [&] { read(bytes); });
}

const std::vector<ZipPart> kTwo = {{.name = "r/a", .content = "hello"}, {.name = "r/b", .content = "worlds"}};

TEST(ZipDirectory, FindsEachEntryWhereItLies) {
  for (const bool zip64 : {false, true}) {
    for (const uint16_t flags : {uint16_t{0}, uint16_t{8}, uint16_t{0x808}}) {
      std::vector<ZipPart> parts = kTwo;
      for (ZipPart& part : parts) part.flags = flags;
      const std::string bytes = build_zip(parts, {.zip64 = zip64});
      const auto entries = read(bytes);
      ASSERT_EQ(entries.size(), 2u);
      for (const ZipEntry& entry : entries) {
        EXPECT_EQ(bytes.substr(entry.offset, entry.bytes), entry.name == "r/a" ? "hello" : "worlds");
      }
    }
  }
}

TEST(ZipDirectory, RefusesWhatIsCutOrLonger) {
  const std::string whole = build_zip(kTwo);
  for (size_t length = 0; length < whole.size(); ++length) expect_refused(whole.substr(0, length), "file.bin");
  expect_refused(whole + "x", "end record");
  expect_refused(build_zip(kTwo, {.comment = "x"}), "end record");
  const std::string whole64 = build_zip(kTwo, {.zip64 = true});
  for (size_t length = 0; length < whole64.size(); ++length) expect_refused(whole64.substr(0, length), "file.bin");
}

TEST(ZipDirectory, RefusesCompressionAndEncryption) {
  expect_refused(build_zip({{.name = "r/a", .content = "x", .method = 8}}), "compressed");
  expect_refused(build_zip({{.name = "r/a", .content = "x", .flags = 1}}), "encrypted");
  expect_refused(build_zip({{.name = "r/a", .content = "x", .flags = 0x40}}), "encrypted");
  expect_refused(build_zip({{.name = "r/a", .content = "x", .flags = 0x2000}}), "encrypted");
}

TEST(ZipDirectory, RefusesUnsafeAndDuplicateNames) {
  for (const std::string& name : {std::string("/etc/passwd"), std::string("../x"), std::string("r/../x"), std::string("r/.."),
                                  std::string("r\\x"), std::string("."), std::string(), std::string("r/\0x", 4)}) {
    expect_refused(build_zip({{.name = name, .content = "x"}}), "unsafe");
  }
  expect_refused(build_zip({{.name = "r/a", .content = "x"}, {.name = "r/a", .content = "y"}}), "two entries");
}

TEST(ZipDirectory, RefusesHeadersThatDiffer) {
  expect_refused(build_zip({{.name = "r/a", .content = "x", .local_name = "r/b"}}), "differ");
  expect_refused(build_zip({{.name = "r/a", .content = "xy", .size_lie = -1}}), "differ");
  expect_refused(build_zip(kTwo, {.entries_lie = 1}), "cut off");
  expect_refused(build_zip(kTwo, {.entries_lie = -1}), "after the last record");
  expect_refused(build_zip(kTwo, {.disk = 1}), "disks");
  expect_refused(build_zip(kTwo, {.zip64 = true, .disk = 1}), "disks");
}

TEST(ZipDirectory, RefusesRangesThatOverlapOrLeaveTheFile) {
  // With sizes left to the directory, it alone says how long an entry is.
  expect_refused(build_zip({{.name = "r/a", .content = "x", .flags = 8, .size_lie = 1000}}), "overlaps");
  expect_refused(build_zip({{.name = "r/a", .content = "x", .flags = 8, .size_lie = 60}, kTwo[1]}), "overlaps");
  expect_refused(build_zip({{.name = "r/a", .content = "x", .offset_lie = 1}}), "no local header");
  expect_refused(build_zip({{.name = "r/a", .content = "x", .offset_lie = 100000}}), "outside the file");
}

}  // namespace
}  // namespace eyrie::test
