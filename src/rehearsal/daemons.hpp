// The stand-ins by name: each runs one daemon to its exit code.
#pragma once

#include <span>
#include <string_view>

namespace rehearsal {

int run_gated();
int run_authd();
int run_routd();
int run_runed();
int run_timed();
int run_onbod();
int run_dashd();
int run_proxyd();
int run_webd();
int run_ttsd();
// Not a daemon: what runs in an agent's container.
int run_agent();
// teled, discd, slakd, emaid, mastd, bskyd, reditd, linkd, whapd, twitd.
int run_adapter(std::string_view daemon, std::span<char* const> arguments);
bool is_adapter(std::string_view daemon);
// `arizuko create NAME [--product P]`.
int run_arizuko(std::span<char* const> arguments);

}  // namespace rehearsal
