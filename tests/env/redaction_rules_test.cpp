#include <algorithm>

#include <doctest/doctest.h>

#include "arizuko/env/redaction.hpp"

using namespace arizuko;
using namespace arizuko::env;

namespace {

plan::Plan plan_of(std::vector<std::string> common, std::vector<std::string> take) {
  plan::Plan plan;
  plan.pod.instance = "demo";
  plan.pod.data_dir = "/srv/data/arizuko_x7Kq92mZpT4w";
  plan.env.common = std::move(common);
  plan::Service& service = plan.services.emplace_back();
  service.name = "gated";
  service.command = {"gated", "--seal", "9f86d081884c7d65"};
  service.take.assign(take.begin(), take.end());
  return plan;
}

struct Variable {
  std::string name;
  std::string text;
  std::string source = "dir:/etc/arizuko/secrets";
};

/// The names of the secret values, with blanks between them.
std::string secret_names(const plan::Plan& plan, const std::vector<Variable>& variables) {
  Snapshot snapshot;
  for (const Variable& each : variables) snapshot.values[each.name] = {each.text, each.source};
  std::string names;
  for (const SecretValue& each : secrets_of(plan, snapshot).values) {
    names.append(names.empty() ? "" : " ").append(each.name);
  }
  return names;
}

bool is_secret(const std::string& name, const std::string& text) {
  return !secret_names(plan_of({}, {}), {{name, text}}).empty();
}

}  // namespace

TEST_CASE("redaction rules: values that people write stay readable") {
  for (const char* text : {
           "true",
           "false",
           "8080",
           "info",
           "localhost",
           "production",
           "http://gated:9080",
           "http://127.0.0.1:8880",
           "https://chat.example.org/arizuko",
           "2026-11-22",
           "2026-11-22T19:57:00Z",
           "/srv/data/arizuko_demo",
           "/opt/arizuko",
           "Europe/Berlin",
           "en_US.UTF-8",
           "turbo",
           "arizuko2026",
           "arizuko-ant:latest",
           "ghcr.io/arizuko/arizuko-ant:v0.41.2",
           "claude-3-5-sonnet-20241022",
           "gpt-4o-mini-2024-07-18",
           "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
           "unix:///var/run/docker.sock",
           "tcp://docker:2375",
           "ari@example.org",
           "imap.fastmail.com",
           "-1001234567890",
           "+420777123456",
           "telegram,slack,discord",
           "MediaMaxFileBytes",
           "20971520",
           "3600000",
           "main,ops,sales-emea",
           "rehearsal-made-up-channel",
           "correct horse battery staple",
           "JAVA_HOME",
           "ConnectorCallTimeout",
       }) {
    CAPTURE(text);
    CHECK(estimated_bits(text) < min_secret_bits);
    CHECK_FALSE(is_secret("SOME_SETTING", text));
  }
}

TEST_CASE("redaction rules: values that no one could pronounce are secret whatever their name") {
  for (const char* text : {
           "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
           "8f14e45fceea167a",
           "sk-ant-api03-Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4",
           "123456789:AAF4xkTq1ZsXy7w0bLmNpQrStUvWxYz0123",
           "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
           "3f2b8c1e-9d47-4e6a-b5f0-7c1d9e8a2b64",
           "https://hooks.slack.com/services/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",
           "rT9xKq2mZ7Lw",
           "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
           "aB3$kL9#mN2&pQ7!xY4%",
           "4716253891604729",
           "abcdefghijklmnopqrstuvwxyzabcdefghijkl",
       }) {
    CAPTURE(text);
    CHECK(estimated_bits(text) >= min_secret_bits);
    CHECK(is_secret("SOME_SETTING", text));
  }
}

TEST_CASE("redaction rules: a name that says secret is believed from eight bytes on") {
  for (const char* name : {"SLACK_BOT_TOKEN", "CHANNEL_SECRET", "TWITTER_2FA_SECRET", "AUTHD_SERVICE_KEYS",
                           "REDDIT_PASSWORD", "PROXYD_HMAC_SECRET", "ANTHROPIC_API_KEY", "SMTP_PASS",
                           "GOOGLE_CREDENTIALS", "AUTH_SECRET_OLD", "SECRETS_KEY", "TOKEN"}) {
    CAPTURE(name);
    CHECK(name_says_secret(name));
    CHECK(is_secret(name, "localhost"));
    CHECK_FALSE(is_secret(name, "hunter2"));
  }
  for (const char* name :
       {"TOKEN_URL", "SSL_KEY_FILE", "DOCKER_CERT_PATH", "API_KEY_ID", "TOKEN_TTL", "SECRET_NAME", "MONKEY",
        "KEYBOARD", "TZ", "GITHUB_CLIENT_ID", "PASSAGE_MODE", "PWD", "OLDPWD", ""}) {
    CAPTURE(name);
    CHECK_FALSE(name_says_secret(name));
  }
}

TEST_CASE("redaction rules: a secret that is too short to be replaced is named") {
  Snapshot snapshot;
  snapshot.values = {{"AUTH_SECRET", {"short", "x"}},
                     {"API_KEY", {"", "x"}},
                     {"PORT", {"80", "x"}},
                     {"FOREIGN_KEY", {"short", "environment"}}};
  const Secrets secrets = secrets_of(plan_of({}, {}), snapshot);
  CHECK(secrets.values.empty());
  CHECK(secrets.too_short == std::vector<std::string>{"AUTH_SECRET"});
}

TEST_CASE(
    "redaction rules: common values and what the plan shows stay readable, unless the name says secret") {
  const std::string random = "x7Kq92mZpT4w";
  CHECK(secret_names(plan_of({"ASSISTANT_NAME", "BUS_TOKEN"}, {}),
                     {{"ASSISTANT_NAME", "9f86d081884c7d659"}, {"BUS_TOKEN", "9f86d081884c7d658"}}) ==
        "BUS_TOKEN");
  CHECK(secret_names(plan_of({}, {}), {{"INSTANCE_NAME", random}, {"MARK", "9f86d081884c7d65"}}).empty());
  CHECK(secret_names(plan_of({}, {}), {{"INSTANCE_KEY", random}}) == "INSTANCE_KEY");
  CHECK(secret_names(plan_of({}, {}), {{"CONTAINER_IMAGE", "ant@sha256:" + random + random}}).empty());
}

TEST_CASE(
    "redaction rules: of the process environment only what a service can be given, and what is named so") {
  const std::string random = "x7Kq92mZpT4wRb8s";
  CHECK(secret_names(plan_of({}, {"TAKEN"}), {{"TAKEN", random, "environment"},
                                              {"FOREIGN", random, "environment"},
                                              {"FOREIGN_TOKEN", random, "environment"},
                                              {"OF_A_FILE", random, "dotenv:/x/.env"}}) ==
        "FOREIGN_TOKEN OF_A_FILE TAKEN");
}

TEST_CASE("redaction rules: what was generated is secret, whatever its name") {
  plan::Plan plan = plan_of({}, {});
  plan.env.generated = {{"SALT"}};
  plan.env.sources = {{plan::Source::Kind::generated, "/data/generated", std::nullopt}};
  CHECK(secret_names(plan, {{"SALT", "word-word", "generated:/data/generated"},
                            {"PEPPER", "word-word", "dir:/x"}}) == "SALT");
}

TEST_CASE("redaction rules: a URL with a password is secret") {
  CHECK(is_secret("DATABASE_URL", "postgres://arizuko:battery@db/main"));
  CHECK_FALSE(is_secret("DATABASE_URL", "postgres://arizuko@db/main"));
  CHECK_FALSE(is_secret("DATABASE_URL", "http://gated:9080/a@b"));
}

TEST_CASE("redaction rules: a secret that the plan itself gives to a service is one") {
  plan::Plan plan = plan_of({}, {});
  plan.services.front().env = {{"API_TOKEN", plan::literal("by-hand-4711")},
                               {"MODE", plan::literal("9f86d081884c7d65")},
                               {"PIN", plan::literal("1234")}};
  CHECK(secret_names(plan, {}) == "API_TOKEN");
  // That the plan holds it makes it no text that may be shown.
  CHECK(secret_names(plan, {{"SESSION", "by-hand-4711-x7Kq92mZpT4w"}}) == "SESSION API_TOKEN");
}
