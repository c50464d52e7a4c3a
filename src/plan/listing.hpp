// Pieces that the text and the JSON form of a plan share.
#pragma once

#include <string>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

std::vector<std::string> names(const Plan& plan, const std::vector<ServiceId>& ids);
std::string address_text(const Address& address);                 // "[::1]:9090"
std::string change_text(const Service& service);                  // "signal:HUP"
std::string enabled_when_text(const AnyOf& any);                  // "NAME=value", "any of A, B"
std::vector<std::string> texts(const std::vector<Taken>& list);   // "NAME = KEY"
std::string with_names(const Source& source);                     // "dotenv:/path (only A, B)"
std::string escaped(std::string_view text);                       // ${ as $${
std::vector<std::string> header_names(const HttpCheck& check);    // never their values
std::string status_text(const std::vector<StatusRange>& ranges);  // "200-299, 404"

}  // namespace arizuko::plan
