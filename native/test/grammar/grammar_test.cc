// The grammars of the library, over a vocabulary of bytes and a few longer tokens: whatever is drawn satisfies them, and no text of a
// request brings the process down.

#include "engine/grammar.h"

#include <gtest/gtest.h>
#include <regex.h>

#include <map>
#include <optional>
#include <random>
#include <thread>

#include "io/json_cursor.h"
#include "test/support/expect_error.h"

namespace eyrie::test {
namespace {

constexpr uint32_t kSpecial = 256;  // "<pad>", and behind it the end token
constexpr uint32_t kEnd = 257;

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// The item `count` times, with # as its number and @ as the next one.
std::string numbered(int count, const std::string& item, const std::string& separator) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    if (i > 0) all += separator;
    for (const char character : item) {
      if (character == '#')
        all += std::to_string(i);
      else if (character == '@')
        all += std::to_string(i + 1);
      else
        all += character;
    }
  }
  return all;
}

std::vector<std::string> tokens() {
  std::vector<std::string> all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(std::string(1, static_cast<char>(byte)));
  all.push_back("<pad>");
  all.push_back("<end>");
  for (const char* longer :
       {"  ", " {", "{\"", "\":", "\": \"", "\",", "\", \"", "\"}", "yes", " yes", " no", "12", "0123", "true", "ab", "},{", "é", "]]"}) {
    all.push_back(longer);
  }
  return all;
}

class Grammars : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    GrammarVocabulary vocabulary;
    for (const std::string& token : tokens()) {
      vocabulary.token_bytes += token;
      vocabulary.token_byte_ends.push_back(static_cast<uint32_t>(vocabulary.token_bytes.size()));
    }
    vocabulary.special_token_ids = {kSpecial, kEnd};
    vocabulary.end_token_id = kEnd;
    try {
      compiler_ = open_grammar_compiler(vocabulary);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unsupported_device) throw;
      reason_ = error.what();
    }
  }
  void SetUp() override {
    if (!compiler_) GTEST_SKIP() << reason_;
  }

  static std::shared_ptr<const Grammar> compile(GrammarKind kind, const std::string& text, bool leading_space = false) {
    return compiler_->compile({kind, text, leading_space});
  }

  /// A text drawn at random from the allowed tokens; nothing if it is not complete after `tokens_max`.
  static std::optional<std::string> draw(const Grammar& grammar, uint32_t seed, size_t tokens_max = 400) {
    const std::vector<std::string> all = tokens();
    std::mt19937 random(seed);
    const auto matcher = grammar.start();
    std::vector<uint32_t> words((all.size() + 31) / 32);
    std::string text;
    for (size_t i = 0; i < tokens_max; ++i) {
      matcher->allowed_tokens(words);
      std::vector<uint32_t> allowed;
      for (uint32_t id = 0; id < all.size(); ++id) {
        if (words[id / 32] >> id % 32 & 1u) allowed.push_back(id);
      }
      EXPECT_FALSE(allowed.empty());
      const uint32_t token = allowed[random() % allowed.size()];
      EXPECT_NE(token, kSpecial);
      if (token == kEnd) return text;
      text += all[token];
      if (matcher->accept(token)) return text;
    }
    return std::nullopt;
  }

  static inline std::shared_ptr<const GrammarCompiler> compiler_;
  static inline std::string reason_;
};

/// POSIX has an engine of its own, and a syntax without `\d`.
bool posix_matches(const std::string& pattern, const std::string& text) {
  regex_t compiled;
  if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool matches = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return matches;
}

TEST_F(Grammars, EveryTextOfARegularExpressionMatchesIt) {
  const std::vector<std::pair<std::string, std::string>> patterns = {
      {R"(\d{3}-\d{4})", "^[0-9]{3}-[0-9]{4}$"},
      {"(ab|é)+x?", "^(ab|é)+x?$"},
      {"^[a-f]{1,8}$", "^[a-f]{1,8}$"},
      {R"([\w.]{1,5}@[a-z]{1,5}\.(com|org))", R"(^[A-Za-z0-9_.]{1,5}@[a-z]{1,5}\.(com|org)$)"},
      {"a/b|c", "^(a/b|c)$"},
      {R"(\$\d\$)", R"(^[$][0-9][$]$)"},
  };
  for (const auto& [text, posix] : patterns) {
    const auto grammar = compile(GrammarKind::regex, text);
    size_t complete = 0;
    for (uint32_t seed = 0; seed < 200; ++seed) {
      const auto drawn = draw(*grammar, seed);
      if (!drawn) continue;
      ++complete;
      EXPECT_TRUE(posix_matches(posix, *drawn)) << text << " drew " << *drawn;
    }
    EXPECT_GE(complete, 190u) << text;
  }
}

TEST_F(Grammars, EveryTextOfAChoiceIsOneOfIt) {
  const std::vector<std::string> choices = {"yes", "yes, please", "no", "a.b*", "new\nline/", "é\"q"};
  const auto grammar = compile(GrammarKind::choice, R"(["yes","yes, please","no","a.b*","new\nline/","é\"q"])");
  std::map<std::string, int> seen;
  for (uint32_t seed = 0; seed < 200; ++seed) ++seen[draw(*grammar, seed).value()];
  EXPECT_EQ(seen.size(), choices.size());
  for (const std::string& choice : choices) EXPECT_GT(seen[choice], 0) << choice;
}

TEST_F(Grammars, ALeadingSpaceComesBeforeEachKind) {
  const auto yes = compile(GrammarKind::choice, R"(["yes","no"])", true);
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const std::string text = draw(*yes, seed).value();
    EXPECT_TRUE(text == " yes" || text == " no") << text;
  }
  EXPECT_EQ(draw(*compile(GrammarKind::regex, " ?a", true), 1).value().substr(0, 1), " ");
  EXPECT_EQ(draw(*compile(GrammarKind::json_schema, R"({"const":{"a":[1,2]}})", true), 1).value().substr(0, 2), " {");
  EXPECT_EQ(draw(*compile(GrammarKind::lark, "start: A\nA: \"x\"", true), 1).value(), " x");
}

/// JSON, with single blanks at most outside strings.
void expect_tight_json(const std::string& text) {
  JsonCursor cursor(text, "the text");
  EXPECT_NO_THROW({
    cursor.skip();
    cursor.end();
  }) << text;
  std::string outside;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (!in_string)
      outside += text[i];
  }
  EXPECT_EQ(outside.find("  "), std::string::npos) << text;
  EXPECT_EQ(outside.find_first_of("\n\t\r"), std::string::npos) << text;
}

TEST_F(Grammars, EveryTextOfASchemaIsJson) {
  for (
      const char* schema : {
          R"({"type":"object","properties":{"name":{"type":"string","maxLength":6},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"enum":["a","b"]},"maxItems":3}},"required":["name","age"],"additionalProperties":false})",
          R"({"type":"array","items":{"type":["boolean","null"]},"minItems":1,"maxItems":4})",
          R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"v":{"enum":[1,2]},"kids":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":1}},"required":["v"],"additionalProperties":false}}})",
          R"({"anyOf":[{"const":"x"},{"type":"integer","minimum":-5,"maximum":5}]})",
      }) {
    const auto grammar = compile(GrammarKind::json_schema, schema);
    size_t complete = 0;
    for (uint32_t seed = 0; seed < 200; ++seed) {
      const auto drawn = draw(*grammar, seed);
      if (!drawn) continue;
      ++complete;
      expect_tight_json(*drawn);
    }
    EXPECT_GE(complete, 190u) << schema;
  }
}

TEST_F(Grammars, RefusesWhatItCannotFollow) {
  const auto refused = [](GrammarKind kind, const std::string& text, const std::string& reason) {
    expect_error(ErrorCode::invalid_request, reason, [&] { compile(kind, text); });
  };
  refused(GrammarKind::regex, "(((", "unclosed group");
  refused(GrammarKind::regex, "a(?=b)", "look-around");
  refused(GrammarKind::regex, R"((a)\1)", "backreferences");
  refused(GrammarKind::regex, R"([^\s\S])", "no text satisfies it");
  refused(GrammarKind::json_schema, "{", "EOF");
  refused(GrammarKind::json_schema, "[]", "must be an object");
  refused(GrammarKind::json_schema, R"({"type":"frob"})", "frob");
  refused(GrammarKind::json_schema, R"({"not":{"type":"string"}})", "not");
  refused(GrammarKind::json_schema, R"({"type":"integer","minimum":5,"maximum":3})", "minimum");
  refused(GrammarKind::json_schema, R"({"$ref":"#"})", "no text satisfies it");
  refused(GrammarKind::json_schema, R"({"$ref":"https://example.com/schema"})", "$ref");
  refused(GrammarKind::lark, "start: \"a", "");
  refused(GrammarKind::lark, "start: <|pad|>", "");
  refused(GrammarKind::lark, "", "");
}

TEST_F(Grammars, HostileTextsEndInAnErrorOrAGrammarButNeverInTheProcess) {
  const std::string properties = "{\"type\":\"object\",\"properties\":{" + numbered(2000, "\"p#\":{}", ",") + "}}";
  const std::string bomb =
      "{\"allOf\":[" + numbered(20, R"({"anyOf":[{"properties":{"a#":{"type":"string"}}},{"properties":{"b#":{"type":"null"}}}]})", ",") +
      "]}";
  const std::string rules = "start: t0\n" + numbered(700, "t#: \"a\" t@ | t@", "\n") + "\nt700: \"b\"";
  const std::vector<std::pair<GrammarKind, std::string>> hostile = {
      {GrammarKind::regex, repeated("(", 4000) + "a" + repeated(")", 4000)},
      {GrammarKind::regex, "(a{1000}){1000}"},
      {GrammarKind::regex, "(a|b)*a(a|b){60}"},
      {GrammarKind::regex, repeated("(.*a.*b)", 100)},
      {GrammarKind::regex, std::string("a\0b", 3)},
      {GrammarKind::regex, "\xff\xfe"},
      {GrammarKind::json_schema, repeated("{\"items\":", 120) + "{}" + repeated("}", 120)},
      {GrammarKind::json_schema, repeated("[", 60'000)},
      {GrammarKind::json_schema, properties},
      {GrammarKind::json_schema, bomb},
      {GrammarKind::json_schema, R"({"type":"array","minItems":1000000000})"},
      {GrammarKind::json_schema, R"({"type":"string","minLength":1000000000})"},
      {GrammarKind::json_schema, R"({"type":"integer","multipleOf":999999937})"},
      {GrammarKind::json_schema, R"({"allOf":[{"$ref":"#"},{"type":"object"}]})"},
      {GrammarKind::json_schema, R"({"x-guidance":{"item_separator":"((","whitespace_flexible":true}})"},
      {GrammarKind::lark, "start: " + repeated("(", 16'000) + "\"a\"" + repeated(")", 16'000)},
      {GrammarKind::lark, "start: e\ne: e e e | e e | /a+/ | \"a\" | "},
      {GrammarKind::lark, "start: <|endoftext|>"},
      {GrammarKind::lark, "start: \"a\" <[256]> \"b\""},
      {GrammarKind::lark, "start: \"a\" <[4000000000]>"},
      {GrammarKind::lark, "start: %json " + repeated("{\"items\":", 100) + "{}" + repeated("}", 100)},
      {GrammarKind::lark, rules},
  };
  for (const auto& [kind, text] : hostile) {
    try {
      const auto grammar = compile(kind, text, text.size() % 2 == 0);
      for (uint32_t seed = 0; seed < 3; ++seed) draw(*grammar, seed, 60);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_request) << error.what();
      EXPECT_LT(std::string(error.what()).size(), 600u);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

TEST_F(Grammars, IsSharedByThreads) {
  const auto grammar =
      compile(GrammarKind::json_schema, R"({"type":"array","items":{"type":"integer","minimum":0,"maximum":99},"maxItems":9})");
  std::vector<std::optional<std::string>> alone(40), crowded(40);
  for (uint32_t seed = 0; seed < 40; ++seed) alone[seed] = draw(*grammar, seed);
  std::vector<std::thread> threads;
  for (uint32_t first = 0; first < 4; ++first) {
    threads.emplace_back([&, first] {
      for (uint32_t seed = first; seed < 40; seed += 4) crowded[seed] = draw(*grammar, seed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(crowded, alone);
}

TEST_F(Grammars, RefusesAVocabularyThatIsNone) {
  expect_error(ErrorCode::invalid_request, "tokenizer", [] { open_grammar_compiler({}); });
  expect_error(ErrorCode::invalid_request, "ascend", [] { open_grammar_compiler({"ab", {2, 1}, {}, 0}); });
  expect_error(ErrorCode::invalid_request, "endTokenId", [] { open_grammar_compiler({"ab", {1, 2}, {}, 2}); });
  expect_error(ErrorCode::invalid_request, "specialTokenIds", [] { open_grammar_compiler({"ab", {1, 2}, {5}, 1}); });
}

}  // namespace
}  // namespace eyrie::test
