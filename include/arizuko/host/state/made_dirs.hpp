// Directories that are made for services, below the data directory.
//
// The data directory may belong to a service's user, who can put a link in the place of any part of it at any
// time. So root walks down by descriptors and follows no link, and what lies in somebody else's directory is
// made with the rights of whom it is for: no swap on the way lends root's.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "arizuko/plan/plan.hpp"
#include "arizuko/posix/accounts.hpp"

namespace arizuko::host {

/// Makes `path` and its parents (0755) when it lies below `root`, whose descriptor is `root_directory`; those
/// that are made belong to `owner`, when there is one. False, with errno, when it cannot.
bool make_directory_below(int root_directory, const std::string& root, const std::string& path,
                          const std::optional<posix::Account>& owner);

/// Gives a directory that root has just made to `owner`. False, with errno, when it cannot, or when somebody
/// else could have put another one there meanwhile.
bool give_directory(const std::string& path, const posix::Account& owner);

/// Whom pod.make_dirs are for: the one user that all enabled services with `user` have. Nothing: each as its
/// parent.
std::optional<posix::Account> owner_of_made_dirs(const plan::Plan& plan);

}  // namespace arizuko::host
