// Names that Kubernetes accepts for what docker calls otherwise. Pure and deterministic: whoever knows the
// docker name knows the Job.
#pragma once

#include <string>
#include <string_view>

namespace arizuko::agents {

inline constexpr std::string_view label_instance = "arizuko-init/instance";
inline constexpr std::string_view label_run = "arizuko-init/run";
inline constexpr std::string_view annotation_name = "arizuko-init/container-name";
inline constexpr std::string_view annotation_image = "arizuko-init/image";
inline constexpr std::string_view annotation_caller = "arizuko-init/caller";

/// The first `digits` hexadecimal digits (at most 64) of the SHA-256 of `text`.
std::string digest(std::string_view text, std::size_t digits);

/// A DNS label of at most 52 bytes: a readable beginning and 16 digits of a hash of instance and name, so
/// that two names never share a Job, whatever characters they differ in.
std::string job_name(std::string_view instance, std::string_view container_name);

/// `text` where it may be the value of a label, else a hash of it.
std::string label_value(std::string_view text);

/// Selects the Jobs of one instance: all that `ps` may show.
std::string instance_selector(std::string_view instance);

}  // namespace arizuko::agents
