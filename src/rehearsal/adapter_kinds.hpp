// What tells the ten adapters apart: names, ports, and how each begins and ends (contract sections 2 to 7).
#pragma once

#include "daemon.hpp"

#include <array>
#include <chrono>
#include <string_view>

namespace rehearsal {

struct Kind {
  std::string_view daemon, channel, prefix, listen, host;
  Runtime runtime;
  bool connects_after_listen;  // /health says 503 first
  std::chrono::minutes stale;  // without an inbound for so long, health is `stale`
  bool keeps;                  // an undelivered message is tried again (teled's offset, emaid's unseen)
  std::array<std::string_view, 4> required{};
  std::chrono::milliseconds stop{0};  // after it deregistered: teled's long poll, discd's gateway
};

inline constexpr auto five_minutes = std::chrono::minutes(5);
inline constexpr std::array kinds{
    Kind{"teled",
         "telegram",
         "telegram:",
         ":9001",
         "telegram",
         Runtime::Go,
         false,
         five_minutes,
         true,
         {"TELEGRAM_BOT_TOKEN"},
         std::chrono::seconds(5)},
    Kind{"discd",
         "discord",
         "discord:",
         ":9002",
         "discord",
         Runtime::Go,
         true,
         five_minutes,
         false,
         {},
         std::chrono::seconds(1)},
    Kind{"emaid",
         "email",
         "email:",
         ":9003",
         "email",
         Runtime::Go,
         true,
         std::chrono::minutes(10),
         true,
         {"EMAIL_IMAP_HOST", "EMAIL_SMTP_HOST", "EMAIL_ACCOUNT", "EMAIL_PASSWORD"}},
    Kind{"mastd",
         "mastodon",
         "mastodon:",
         ":9004",
         "mastd",
         Runtime::Go,
         true,
         five_minutes,
         false,
         {"MASTODON_INSTANCE_URL", "MASTODON_ACCESS_TOKEN"}},
    Kind{"bskyd",
         "bluesky",
         "bluesky:",
         ":9005",
         "bluesky",
         Runtime::Go,
         false,
         five_minutes,
         false,
         {"BLUESKY_IDENTIFIER", "BLUESKY_PASSWORD"}},
    Kind{"reditd",
         "reddit",
         "reddit:",
         ":9006",
         "reditd",
         Runtime::Go,
         true,
         std::chrono::minutes(60),
         false,
         {"REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "REDDIT_USERNAME", "REDDIT_PASSWORD"}},
    Kind{"linkd",
         "linkedin",
         "linkedin:",
         ":9010",
         "linkd",
         Runtime::Go,
         false,
         five_minutes,
         false,
         {"LINKEDIN_CLIENT_ID", "LINKEDIN_CLIENT_SECRET"}},
    Kind{"slakd",
         "slack",
         "slack:",
         ":8080",
         "slakd",
         Runtime::Go,
         false,
         five_minutes,
         false,
         {"SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"}},
    // The default is discd's port: the contract's own trap.
    Kind{"whapd", "whatsapp", "whatsapp:", ":9002", "whapd", Runtime::Node, true, five_minutes, false, {}},
    // Registers x: and posts twitter:home, which gated answers with 400.
    Kind{"twitd", "twitter", "x:", ":8080", "twitd", Runtime::Node, true, five_minutes, false, {}},
};

inline const Kind* kind_of(std::string_view daemon) {
  for (const auto& kind : kinds)
    if (kind.daemon == daemon) return &kind;
  return nullptr;
}

}  // namespace rehearsal
