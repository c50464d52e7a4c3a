#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory_resource>
#include <new>
#include <random>

#include "arizuko/env/redaction.hpp"

using namespace arizuko::env;

namespace {

Redactor redactor_of(const std::vector<SecretValue>& live) {
  Redactor redactor;
  redactor.take(live);
  return redactor;
}

std::string redacted(Redactor& redactor, std::string_view text, Ending ending = Ending::whole) {
  std::string scratch;
  return std::string(redactor.redact(text, scratch, ending));
}

/// base64 by the book (RFC 4648), without padding, not as the code under test does it.
std::string base64(std::string_view text, bool url = false) {
  const std::string_view alphabet = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                        : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned long group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group * 256 + (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      if (i + k <= text.size()) out += alphabet[group >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

const std::string token = "xoxb-7/Kq?9>2m&\"Zp~T\\4wé";

}  // namespace

TEST_CASE("redaction: a line without a secret is handed on as it is, without a copy") {
  Redactor redactor = redactor_of({{"SLACK_BOT_TOKEN", token}});
  std::string scratch;
  const std::string line = "nothing to see here, xoxb-7/Kq? not either";
  CHECK(redactor.redact(line, scratch).data() == line.data());
  CHECK(scratch.empty());
  CHECK(redactor.hits() == 0);
  Redactor without = redactor_of({});
  CHECK(redacted(without, "anything") == "anything");
}

TEST_CASE("redaction: a secret is replaced by its name wherever it stands") {
  Redactor redactor = redactor_of({{"A_TOKEN", "alpha-4711"}, {"B_TOKEN", "beta-0815-x"}});
  CHECK(redacted(redactor, "alpha-4711") == "[redacted:A_TOKEN]");
  CHECK(redacted(redactor, "x=alpha-4711, y=beta-0815-x!") == "x=[redacted:A_TOKEN], y=[redacted:B_TOKEN]!");
  CHECK(redacted(redactor, "alpha-4711alpha-4711") == "[redacted:A_TOKEN][redacted:A_TOKEN]");
  CHECK(redactor.hits() == 5);
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string text = std::string(before, '.') + "beta-0815-x" + std::string(before % 7, '.');
    CHECK(redacted(redactor, text) ==
          std::string(before, '.') + "[redacted:B_TOKEN]" + std::string(before % 7, '.'));
  }
}

TEST_CASE("redaction: a value of several names is called by the first") {
  Redactor redactor = redactor_of({{"A", "alpha-4711"}, {"B", "alpha-4711"}});
  CHECK(redacted(redactor, "alpha-4711") == "[redacted:A]");
}

TEST_CASE("redaction: every encoding of a secret is replaced") {
  struct Row {
    std::string_view what;
    std::string text;
  };
  const Row rows[] = {
      {"as it is", token},
      {"JSON", R"(xoxb-7/Kq?9>2m&\"Zp~T\\4wé)"},
      {"JSON of Go", R"(xoxb-7/Kq?9\u003e2m\u0026\"Zp~T\\4wé)"},
      {"JSON of Go, capital digits", R"(xoxb-7/Kq?9\u003E2m\u0026\"Zp~T\\4wé)"},
      {"JSON of PHP", R"(xoxb-7\/Kq?9>2m&\"Zp~T\\4wé)"},
      {"JSON of Python", R"(xoxb-7/Kq?9>2m&\"Zp~T\\4w\u00e9)"},
      {"JSON in JSON", R"(xoxb-7/Kq?9>2m&\\\"Zp~T\\\\4wé)"},
      {"JSON, each character", R"(xo\u0078b-7\u002fKq\u003f9>2m&\"Zp~T\\4wé)"},
      {"encodeURIComponent", "xoxb-7%2FKq%3F9%3E2m%26%22Zp~T%5C4w%C3%A9"},
      {"small digits", "xoxb-7%2fKq%3f9%3e2m%26%22Zp~T%5c4w%c3%a9"},
      {"URL, mixed digits and only some", "xoxb-7/Kq%3f9%3E2m&\"Zp%7ET\\4wé"},
      {"hexadecimal", "786f78622d372f4b713f393e326d26225a707e545c3477c3a9"},
      {"HEXADECIMAL", "786F78622D372F4B713F393E326D26225A707E545C3477C3A9"},
      {"base64, no padding", base64(token, false)},
      {"base64 for URLs", base64(token, true)},
  };
  Redactor redactor = redactor_of({{"T", token}});
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(redacted(redactor, "a \"" + row.text + "\" b") == "a \"[redacted:T]\" b");
  }
}

TEST_CASE("redaction: base64 of a text that holds a secret gives at most the six bits at its borders away") {
  Redactor redactor = redactor_of({{"T", token}});
  for (const std::string before : {"", "u", "us", "use", "user:", "ari:"}) {
    for (const std::string after : {"", "\n", "@h", "@ho", "@host"}) {
      for (const bool url : {false, true}) {
        const std::string plain = base64(before + token + after, url);
        const std::string shown = redacted(redactor, "Basic " + plain);
        CAPTURE(plain);
        CHECK(shown.contains("[redacted:T]"));
        CHECK(shown.size() <= 6 + 12 + base64(before).size() + base64(after).size() + 8);
      }
    }
  }
}

TEST_CASE("redaction: secrets that overlap or hold each other become one") {
  Redactor redactor = redactor_of({{"A", "alpha-beta"}, {"B", "beta-gamma"}, {"C", "alpha-beta-delta"}});
  CHECK(redacted(redactor, "<alpha-beta-gamma>") == "<[redacted:A]>");
  CHECK(redacted(redactor, "<alpha-beta-delta>") == "<[redacted:C]>");
  CHECK(redacted(redactor, "<alpha-beta>") == "<[redacted:A]>");
}

TEST_CASE("redaction: no replacement makes a secret appear") {
  SUBCASE("one that is part of a replacement") {
    Redactor redactor = redactor_of({{"MY_TOKEN", "redacted:"}, {"OTHER_TOKEN", "alpha-4711"}});
    CHECK(redacted(redactor, "alpha-4711 and redacted: x") == "[***] and [***] x");
  }
  SUBCASE("one that is the name of another") {
    Redactor redactor = redactor_of({{"A", "OTHER_TOKEN"}, {"OTHER_TOKEN", "alpha-4711"}});
    CHECK(redacted(redactor, "alpha-4711") == "[***]");
  }
  SUBCASE("one that comes together around it") {
    Redactor redactor = redactor_of({{"A", "x-[redac"}, {"B", "alpha-4711"}, {"C", "tail-[***]"}});
    CHECK(redacted(redactor, "x-alpha-4711 y") == "x-[***] y");
    CHECK(redacted(redactor, "tail-alpha-4711 x-alpha-4711") == "[***]");
  }
}

TEST_CASE("redaction: former secrets stay replaced") {
  Redactor redactor = redactor_of({{"T", "token-of-monday"}});
  redactor.take(std::vector<SecretValue>{{"T", "token-of-tuesday"}});
  redactor.take(std::vector<SecretValue>{});
  CHECK(redacted(redactor, "token-of-monday token-of-tuesday") == "[redacted:T] [redacted:T]");
}

TEST_CASE("redaction: where there is no room the oldest former secrets go, and it is said") {
  Redactor redactor;
  const auto value = [](int day) { return fmt::format("token-of-day-{}/{}", day, day * 7919); };
  int forgotten_at = 0;
  for (int day = 1; forgotten_at == 0; ++day) {
    REQUIRE(day < 4000);
    const std::string text = value(day);
    const Redactor::Taken taken = redactor.take(std::vector<SecretValue>{{"T", text}});
    CHECK(taken.patterns <= max_patterns);
    CHECK(taken.left_out.empty());
    if (taken.forgotten > 0) forgotten_at = day;
    if (day == 1) day = 200;  // one step would not show that the others are kept
  }
  CHECK(forgotten_at > 300);
  CHECK(redacted(redactor, value(1)) == value(1));
  for (const int day : {forgotten_at, forgotten_at - 1, 300, 250}) {
    CAPTURE(day);
    CHECK(redacted(redactor, value(day)) == "[redacted:T]");
  }
}

TEST_CASE(
    "redaction: too many live secrets are replaced as they are, and those without encodings are named") {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(fmt::format("live/{}?{}", i, i * 104729));
  std::vector<SecretValue> live;
  for (const std::string& text : texts) live.push_back({"T", text});
  Redactor redactor;
  const Redactor::Taken taken = redactor.take(live);
  CHECK(taken.patterns == max_patterns);
  CHECK(taken.left_out.size() > 100);
  for (const std::string& text : texts) CHECK(redacted(redactor, text) == "[redacted:T]");
}

TEST_CASE("redaction: a line that was cut does not give the beginning of a secret away") {
  Redactor redactor = redactor_of({{"T", "alpha-4711-omega"}, {"U", "beta-alpha-4711"}});
  struct Row {
    std::string_view cut;
    std::string_view shown;
  };
  const Row rows[] = {
      {"x alpha-4711-omeg", "x [redacted:T]"},
      {"x alph", "x [redacted:T]"},
      {"x alp", "x alp"},  // three bytes are not worth a word
      {"x alpha-4711-omega", "x [redacted:T]"},
      {"x beta-alpha-4711-om", "x [redacted:U]"},  // one that is complete and one that has begun
      {"alpha-4711-omega al", "[redacted:T] al"},
      {"x", "x"},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.cut);
    CHECK(redacted(redactor, row.cut, Ending::cut) == row.shown);
  }
  CHECK(redacted(redactor, "x alpha-4711-omeg") == "x alpha-4711-omeg");
}

namespace {

std::string every_byte_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  return out;
}

std::string in_percents(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string backslashes_doubled(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '\\' ? 2 : 1, c);
  return out;
}

}  // namespace

TEST_CASE("redaction: wherever a line is cut, no more than three letters of an escaped secret are shown") {
  const std::string secret = "k7Qz-\xF0\x9F\x98\x80-w93mT";
  const std::string plain = "k7Qz-w93mTx1";
  Redactor redactor = redactor_of({{"T", secret}, {"U", plain}});
  const std::string smile = R"(k7Qz-\ud83d\ude00-w93mT)";
  for (const std::string& written :
       {every_byte_escaped(plain), in_percents(plain), backslashes_doubled(every_byte_escaped(plain)),
        in_percents(every_byte_escaped(plain)), smile, backslashes_doubled(smile)}) {
    const std::size_t letter = written.size() / plain.size();  // how long one is, at most
    const std::string line = "{\"msg\":\"" + written;
    for (std::size_t end = line.size() - written.size(); end <= line.size(); ++end) {
      CAPTURE(line.substr(0, end));
      const std::string shown = redacted(redactor, line.substr(0, end), Ending::cut);
      const std::size_t begun = end - (line.size() - written.size());
      if (begun < 4 * letter) continue;  // fewer than four letters are not worth a word
      CHECK((shown.ends_with("[redacted:T]") || shown.ends_with("[redacted:U]")));
    }
  }
}

TEST_CASE("redaction: what a daemon trims off the edges of a value does not bring it to light") {
  Redactor redactor =
      redactor_of({{"T", " \"alpha-4711-omega\"\r\n"}, {"U", "\xEF\xBB\xBF'beta-4711-gamma'\t"}});
  CHECK(redacted(redactor, "401 for alpha-4711-omega") == "401 for [redacted:T]");
  CHECK(redacted(redactor, "as read: \"alpha-4711-omega\"") == "as read: \"[redacted:T]\"");
  CHECK(redacted(redactor, "Bearer " + base64("beta-4711-gamma")) == "Bearer [redacted:U]");
}

TEST_CASE("redaction: a URL's password is replaced alone too, as written and decoded") {
  Redactor redactor = redactor_of({{"DATABASE_URL", "postgres://ari:p%40ssword-1@db:5432/main"}});
  CHECK(redacted(redactor, "to postgres://ari:p%40ssword-1@db:5432/main") == "to [redacted:DATABASE_URL]");
  CHECK(redacted(redactor, "password p@ssword-1 refused") == "password [redacted:DATABASE_URL] refused");
  CHECK(redacted(redactor, "postgres://ari:p%40ssword-1@other") ==
        "postgres://ari:[redacted:DATABASE_URL]@other");
  CHECK(redacted(redactor, "connecting to db:5432/main") == "connecting to db:5432/main");
}

TEST_CASE("redaction: the lines of a private key are replaced one by one, its BEGIN and END are not") {
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\r\nMIIEvQIBADANBgkqhkiG\r\nc2Vjb25kIGxpbmUgb2Yg\r\nshort\r\n"
      "-----END PRIVATE KEY-----";
  Redactor redactor = redactor_of({{"TLS", pem}});
  CHECK(redacted(redactor, "-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----");
  CHECK(redacted(redactor, "MIIEvQIBADANBgkqhkiG") == "[redacted:TLS]");
  CHECK(redacted(redactor, "2: c2Vjb25kIGxpbmUgb2Yg") == "2: [redacted:TLS]");
  CHECK(redacted(redactor, R"({"key":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n"})") ==
        R"({"key":"-----BEGIN PRIVATE KEY-----\n[redacted:TLS]\n"})");
}

TEST_CASE("redaction: of a JSON value the secret fields are replaced, the others stay readable") {
  const std::string account =
      "{\n  \"type\": \"service_account\",\n  \"project_id\": \"arizuko-demo\",\n"
      "  \"private_key_id\": \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\",\n"
      "  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG\\n-----END PRIVATE "
      "KEY-----\\n\",\n"
      "  \"client_secret\": \"battery-staple\",\n  \"nested\": [\"x7Kq92mZpT4wRb8s\"]\n}\n";
  Redactor redactor = redactor_of({{"GOOGLE_CREDENTIALS", account}});
  for (const char* text : {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "MIIEvQIBADANBgkqhkiG",
                           "battery-staple", "x7Kq92mZpT4wRb8s"}) {
    CAPTURE(text);
    CHECK(redacted(redactor, text) == "[redacted:GOOGLE_CREDENTIALS]");
  }
  for (const char* text : {"service_account", "arizuko-demo", "  \"type\": \"service_account\","}) {
    CAPTURE(text);
    CHECK(redacted(redactor, text) == text);
  }
}

TEST_CASE("redaction: the items of a list of keys are replaced one by one") {
  Redactor redactor =
      redactor_of({{"AUTHD_SERVICE_KEYS", "service:a=8f14e45fceea167a,service:b=c9f0f895fb98ab91"}});
  CHECK(redacted(redactor, "b has c9f0f895fb98ab91") == "b has [redacted:AUTHD_SERVICE_KEYS]");
  CHECK(redacted(redactor, "service:b") == "service:b");
}

TEST_CASE("redaction: an escaped line without a secret keeps its escapes") {
  Redactor redactor = redactor_of({{"T", token}});
  for (const std::string_view line : {R"({"msg":"a \"b\" \u00e4 \n","u":"%20%zz%"})", R"(\)", R"(%)",
                                      R"(\u12)", R"(\ud83d\ude00)", R"(\ud83d x)"}) {
    CHECK(redacted(redactor, line) == line);
  }
}

TEST_CASE("redaction: what stands beside an escaped secret keeps its escapes, so that JSON stays JSON") {
  Redactor redactor =
      redactor_of({{"T", "alpha-4711"}, {"U", "a%41b%42c%43"}, {"V", "caf\u00e9 \u00e9t\u00e9"}});
  std::string json = R"({"a\n":"alpha-4711","b":"\u0061lpha-471\u0031","c":"\"x"})";
  redactor.clean(json);
  CHECK(json == R"({"a\n":"[redacted:T]","b":"[redacted:T]","c":"\"x"})");
  // One that would look different without its escapes.
  CHECK(redacted(redactor, "x%20 a%41b%42c%43 y%20") == "x%20 [redacted:U] y%20");
  CHECK(redacted(redactor, R"(caf\u00e9 \u00e9t\u00e9!)") == "[redacted:V]!");
}

TEST_CASE("redaction: no secret is missed among random secrets in random lines") {
  std::mt19937 random(4711);
  const auto text_of = [&](std::size_t size, std::string_view letters) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += letters[random() % letters.size()];
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    // Few letters: beginnings, ends and windows are often alike.
    const std::string_view letters = round % 3 == 0 ? "ab" : round % 3 == 1 ? "abc%\\" : "abcdefgh/+&\"";
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 1 + random() % 12; ++i) texts.push_back(text_of(8 + random() % 20, letters));
    std::vector<SecretValue> live;
    for (const std::string& text : texts) live.push_back({"N", text});
    Redactor redactor = redactor_of(live);
    for (int line = 0; line < 50; ++line) {
      std::string text = text_of(random() % 60, letters);
      if (line % 2 == 0) text += texts[random() % texts.size()] + text_of(random() % 30, letters);
      const std::string shown = redacted(redactor, text);
      for (const std::string& secret : texts) {
        CAPTURE(text);
        CAPTURE(secret);
        CHECK_FALSE(shown.contains(secret));
      }
      const bool held =
          std::ranges::any_of(texts, [&](const std::string& secret) { return text.contains(secret); });
      if (letters == "ab") CHECK((shown != text) == held);
    }
  }
}

TEST_CASE("redaction: memory that runs out leaves the secrets from before replaced, by their names") {
  /// Gives out so many blocks, and then none.
  struct Scarce : std::pmr::memory_resource {
    std::size_t left = 1'000'000;
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
      if (left == 0) throw std::bad_alloc();
      --left;
      return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
      std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
  } memory;
  Redactor redactor(&memory);
  redactor.take(std::vector<SecretValue>{{"A", "alpha-4711-omega"}, {"B", "beta-4711-gamma"}});
  const std::vector<SecretValue> next{{"C", "delta-4711-sigma"}};
  bool succeeded = false;
  for (std::size_t blocks = 0; !succeeded; ++blocks) {
    CAPTURE(blocks);
    memory.left = blocks;
    try {
      redactor.take(next);
      succeeded = true;
    } catch (const std::bad_alloc&) {
    }
    memory.left = 1'000'000;
    CHECK(redacted(redactor, "alpha-4711-omega beta-4711-gamma") == "[redacted:A] [redacted:B]");
  }
  CHECK(redacted(redactor, "delta-4711-sigma") == "[redacted:C]");
}
