#include "kube_config.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>

#include "arizuko/posix/files.hpp"
#include "arizuko/yaml/tree.hpp"

namespace arizuko::agents {
namespace {

constexpr std::size_t most_file_bytes = 1 << 20;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

/// The service account's directory; a test may have it elsewhere.
std::string account_dir(const Environment& environment) {
  return environment("ARIZUKO_SERVICE_ACCOUNT_DIR").value_or(std::string{service_account_dir});
}

Result<std::string> decoded(const std::string& base64, std::string_view what) {
  std::string out(base64.size() / 4 * 3 + 3, '\0');
  const int bytes =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size()));
  if (bytes < 0) return fail(fmt::format("{} in KUBECONFIG is not base64", what));
  out.resize(static_cast<std::size_t>(bytes));
  while (!out.empty() && out.back() == '\0') out.pop_back();  // EVP_DecodeBlock counts the padding
  return out;
}

/// `name-data` as base64, or the file called `name`.
Result<std::string> material(yaml::Value entry, std::string_view name, const std::string& directory) {
  const auto key = fmt::format("{}-data", name);
  if (const auto data = entry[key].text(); !data.empty()) return decoded(data, key);
  auto path = entry[name].text();
  if (path.empty()) return std::string{};
  return read_small_file(path.starts_with('/') ? path : directory + "/" + path);
}

/// `https://HOST:PORT`, HOST numeric or localhost.
Result<void> read_server(std::string_view url, Cluster& cluster) {
  constexpr std::string_view scheme = "https://";
  const auto wrong =
      fail(fmt::format("cannot use the server {} of KUBECONFIG: write https:// and a numeric "
                       "address, as in https://127.0.0.1:6443 (and tls-server-name where the "
                       "certificate is for a name)",
                       url));
  if (!url.starts_with(scheme)) return wrong;
  url.remove_prefix(scheme.size());
  while (url.ends_with('/')) url.remove_suffix(1);
  const auto bracket = url.find(']');
  const auto colon = url.find(':', bracket == std::string_view::npos ? 0 : bracket);
  cluster.port = colon == std::string_view::npos ? "443" : std::string{url.substr(colon + 1)};
  std::string host{url.substr(0, colon)};
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  cluster.tls_name = host;
  cluster.host = host == "localhost" ? "127.0.0.1" : host;
  boost::system::error_code error;
  boost::asio::ip::make_address(cluster.host, error);
  if (error || cluster.port.empty() || cluster.port.find_first_not_of("0123456789") != std::string::npos)
    return wrong;
  return {};
}

/// What stands below `inner` in the entry called `name` of the list `list`.
yaml::Value entry(yaml::Value root, std::string_view list, const std::string& name, std::string_view inner) {
  for (const yaml::Value each : root[list].items()) {
    if (each["name"].text() == name) return each[inner];
  }
  return {};
}

Result<void> read_user(yaml::Value user, const std::string& directory, Cluster& cluster) {
  for (const auto name : {"exec", "auth-provider", "username"}) {
    if (user.key(name)) {
      return fail(
          fmt::format("KUBECONFIG logs in by '{}', which is not supported; use a token or a client "
                      "certificate",
                      name));
    }
  }
  cluster.token = user["token"].text();
  cluster.token_path = user["tokenFile"].text();
  auto certificate = material(user, "client-certificate", directory);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = material(user, "client-key", directory);
  if (!key) return std::unexpected(key.error());
  cluster.client_certificate_pem = std::move(*certificate);
  cluster.client_key_pem = std::move(*key);
  return {};
}

Result<Cluster> in_cluster(const Environment& environment) {
  Cluster cluster;
  cluster.host = environment("KUBERNETES_SERVICE_HOST").value_or("");
  cluster.port = environment("KUBERNETES_SERVICE_PORT").value_or("443");
  if (cluster.host.empty()) {
    return fail(
        "KUBERNETES_SERVICE_HOST is not set: this is no pod, or the daemon that calls docker does not "
        "pass it on; set "
        "KUBECONFIG, or CONTAINER_BACKEND=docker");
  }
  boost::system::error_code error;
  boost::asio::ip::make_address(cluster.host, error);
  if (error) return fail(fmt::format("KUBERNETES_SERVICE_HOST is {}, not a numeric address", cluster.host));
  cluster.tls_name = cluster.host;
  const auto directory = account_dir(environment);
  cluster.token_path = directory + "/token";
  auto ca = read_small_file(directory + "/ca.crt");
  if (!ca) return std::unexpected(ca.error());
  cluster.ca_pem = std::move(*ca);
  cluster.name_space = environment("POD_NAMESPACE").value_or("");
  if (cluster.name_space.empty()) {
    auto name = read_small_file(directory + "/namespace");
    if (!name) return std::unexpected(name.error());
    cluster.name_space = trimmed(std::move(*name));
  }
  return cluster;
}

}  // namespace

Result<std::string> read_small_file(const std::string& path) {
  auto text = posix::read_file(path, most_file_bytes);
  if (!text) return fail(fmt::format("cannot read {}: {}", path, text.error().what));
  return std::move(*text);
}

bool has_service_account(const Environment& environment) {
  return ::access((account_dir(environment) + "/token").c_str(), R_OK) == 0;
}

Result<Cluster> read_kubeconfig(const std::string& text, const std::string& directory) {
  const auto parsed = yaml::parse(text);
  if (!parsed)
    return fail(fmt::format("cannot read KUBECONFIG: line {}: {}", parsed.error().line, parsed.error().what));
  const yaml::Value root = parsed->documents.empty() ? yaml::Value{} : parsed->documents.front();
  const auto context_name = root["current-context"].text();
  const auto context = entry(root, "contexts", context_name, "context");
  if (!context) {
    return fail(fmt::format("KUBECONFIG has no context '{}'; choose one by kubectl config use-context",
                            context_name));
  }
  const auto server = entry(root, "clusters", context["cluster"].text(), "cluster");
  if (!server) return fail("the current context of KUBECONFIG names no cluster");
  Cluster cluster;
  if (auto read = read_server(server["server"].text(), cluster); !read) return std::unexpected(read.error());
  if (server["insecure-skip-tls-verify"].is_true())
    return fail("KUBECONFIG says insecure-skip-tls-verify; give it the certificate authority instead");
  if (auto name = server["tls-server-name"].text(); !name.empty()) cluster.tls_name = std::move(name);
  auto ca = material(server, "certificate-authority", directory);
  if (!ca) return std::unexpected(ca.error());
  cluster.ca_pem = std::move(*ca);
  cluster.name_space = context["namespace"].text();
  if (cluster.name_space.empty()) cluster.name_space = "default";
  if (const auto user = entry(root, "users", context["user"].text(), "user")) {
    if (auto read = read_user(user, directory, cluster); !read) return std::unexpected(read.error());
  }
  return cluster;
}

Result<Cluster> find_cluster(const Environment& environment) {
  const auto path = environment("KUBECONFIG").value_or("");
  if (path.empty()) return in_cluster(environment);
  auto text = read_small_file(path);
  if (!text) return std::unexpected(text.error());
  const auto slash = path.rfind('/');
  auto cluster = read_kubeconfig(*text, slash == std::string::npos ? "." : path.substr(0, slash));
  if (cluster) {
    if (auto name = environment("POD_NAMESPACE").value_or(""); !name.empty())
      cluster->name_space = std::move(name);
  }
  return cluster;
}

Result<std::string> current_token(const Cluster& cluster) {
  if (cluster.token_path.empty()) return cluster.token;
  auto text = read_small_file(cluster.token_path);
  if (!text) return text;
  return trimmed(std::move(*text));
}

}  // namespace arizuko::agents
