// Where the API server is and who we are there: the pod's service account, or the file in KUBECONFIG for
// trying it from outside.
//
// The server must be a numeric address (or localhost): in a pod KUBERNETES_SERVICE_HOST is one, and a static
// glibc binary cannot resolve names without the system's own shared libraries.
#pragma once

#include <string>

#include "settings.hpp"

namespace arizuko::agents {

struct Cluster {
  std::string host;  // numeric, IPv6 without brackets
  std::string port;
  std::string tls_name;  // what the certificate must be for
  std::string ca_pem;
  std::string token;
  std::string token_path;  // wins over `token` and is read again for every request: the kubelet rotates it
  std::string client_certificate_pem;
  std::string client_key_pem;
  std::string name_space;
};

inline constexpr std::string_view service_account_dir = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Is there a token of a service account?
bool has_service_account(const Environment& environment);

/// KUBECONFIG when it is set, else the service account.
Result<Cluster> find_cluster(const Environment& environment);

/// The current context of a kubeconfig (YAML, so JSON too). Relative paths in it start at `directory`.
Result<Cluster> read_kubeconfig(const std::string& text, const std::string& directory);

/// The token as it is now.
Result<std::string> current_token(const Cluster& cluster);

/// At most 1 MiB.
Result<std::string> read_small_file(const std::string& path);

}  // namespace arizuko::agents
