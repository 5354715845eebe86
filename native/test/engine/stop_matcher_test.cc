#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace eyrie::test {
namespace {

struct Outcome {
  std::string text;
  std::optional<size_t> cut;
  bool operator==(const Outcome&) const = default;
};

/// Feeds the pieces until one stops.
Outcome feed(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  Outcome outcome;
  for (const std::string& piece : pieces) {
    outcome.cut = append_until_stop(outcome.text, piece, stops);
    if (outcome.cut) break;
  }
  return outcome;
}

TEST(StopMatcher, CutsBeforeTheStringAcrossPieces) {
  EXPECT_EQ(feed({"ab", "cd", "ef"}, {"bcd"}), (Outcome{"a", 1}));
  EXPECT_EQ(feed({"ab", "cdef"}, {"de"}), (Outcome{"abc", 3}));
  EXPECT_EQ(feed({"abc"}, {"abc"}), (Outcome{"", 0}));
  EXPECT_EQ(feed({"abc", "def"}, {"x", "cf"}), (Outcome{"abcdef", std::nullopt}));
  EXPECT_EQ(feed({"abc"}, {}), (Outcome{"abc", std::nullopt}));
  EXPECT_EQ(feed({"abc"}, {""}), (Outcome{"abc", std::nullopt}));
}

TEST(StopMatcher, TakesTheFirstToBeCompleteAndTheLongestOnATie) {
  EXPECT_EQ(feed({"abcd"}, {"abcd", "bc"}), (Outcome{"a", 1}));
  EXPECT_EQ(feed({"abcd"}, {"cd", "bcd", "d"}), (Outcome{"a", 1}));
}

TEST(StopMatcher, FindsRepeatingStringsThatOverlapThemselves) {
  EXPECT_EQ(feed({"a", "a", "b", "aab", "aac"}, {"aabaac"}), (Outcome{"aab", 3}));
  EXPECT_EQ(feed({"ababab", "c"}, {"ababc"}), (Outcome{"ab", 2}));
}

/// However a text is cut into pieces, the outcome is that of feeding it byte by byte.
TEST(StopMatcher, DoesNotSeeHowTheTextWasCut) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += static_cast<char>('a' + random() % 3);
    std::vector<std::string> stops;
    for (size_t i = 0; i < 1 + random() % 3; ++i) {
      std::string stop;
      for (size_t length = 2 + random() % 5; length > 0; --length) stop += static_cast<char>('a' + random() % 3);
      stops.push_back(stop);
    }
    std::vector<std::string> bytes;
    for (const char c : text) bytes.emplace_back(1, c);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random() % 7;
      pieces.push_back(text.substr(at, length));
      at += length;
    }
    EXPECT_EQ(feed(pieces, stops), feed(bytes, stops));
  }
}

}  // namespace
}  // namespace eyrie::test
