// What the services run: their programs, the docker command, the agents' skills, the agents' sockets.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include <elf.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "arizuko/env/redaction.hpp"
#include "arizuko/host/process/find_executable.hpp"
#include "arizuko/host/state/agents_facts.hpp"
#include "arizuko/posix/files.hpp"
#include "command.hpp"
#include "files.hpp"
#include "known.hpp"

namespace arizuko::doctor {

namespace {

/// The loader or interpreter that the program in `file` asks for; empty: none, or no form that we know.
std::string loader_of(int file) {
  Elf64_Ehdr header{};
  if (::pread(file, &header, sizeof header, 0) != sizeof header) return {};
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return {};
  constexpr unsigned most_parts = 64;
  for (unsigned i = 0; i < std::min<unsigned>(header.e_phnum, most_parts); ++i) {
    Elf64_Phdr part{};
    const auto at = static_cast<off_t>(header.e_phoff + i * sizeof part);
    if (::pread(file, &part, sizeof part, at) != sizeof part) return {};
    if (part.p_type != PT_INTERP || part.p_filesz == 0 || part.p_filesz > 4096) continue;
    std::string loader(part.p_filesz, '\0');
    if (::pread(file, loader.data(), loader.size(), static_cast<off_t>(part.p_offset)) < 0) return {};
    loader.resize(std::strlen(loader.c_str()));
    return loader;
  }
  return {};
}

std::string script_interpreter(int file) {
  std::string head(256, '\0');
  const ssize_t got = ::pread(file, head.data(), head.size(), 0);
  head.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (!head.starts_with("#!")) return {};
  const std::size_t from = std::min(head.find_first_not_of(" \t", 2), head.size());
  return head.substr(from, head.find_first_of(" \t\n", from) - from);
}

/// Built for this kind of CPU, or a script: else execve(2) says ENOEXEC. Where binfmt_misc runs strangers
/// anything may be.
bool has_a_form_that_runs(int file) {
  Elf64_Ehdr header{};
  const ssize_t got = ::pread(file, &header, sizeof header, 0);
  if (got >= 2 && std::memcmp(header.e_ident, "#!", 2) == 0) return true;
  if (got < EI_NIDENT || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
  Elf64_Ehdr own{};
  const Descriptor self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!self.is_open() || ::pread(self.get(), &own, sizeof own, 0) != sizeof own) return true;
  const bool foreign = header.e_machine != own.e_machine && header.e_ident[EI_CLASS] == own.e_ident[EI_CLASS];
  return !foreign || ::access("/proc/sys/fs/binfmt_misc/register", F_OK) == 0;
}

/// Why execve(2) would refuse it; nothing when it would not, as far as can be seen without trying.
std::optional<host::SpawnError> refusal(const std::string& path) {
  using enum host::SpawnStage;
  if (::access(path.c_str(), X_OK) != 0) return host::SpawnError{executing, errno, path};
  const auto opened = posix::open_to_read(AT_FDCWD, path, posix::Links::followed);
  if (!opened && opened.error().error == EINVAL) return host::SpawnError{executing, EACCES, path};  // a FIFO
  if (!opened) return std::nullopt;  // may be run without being readable
  const Descriptor& file = *opened;
  for (const std::string& needed : {loader_of(file.get()), script_interpreter(file.get())}) {
    if (!needed.empty() && ::access(needed.c_str(), F_OK) != 0)
      return host::SpawnError{executing, ENOENT, path};
  }
  if (!has_a_form_that_runs(file.get())) return host::SpawnError{executing, ENOEXEC, path};
  return std::nullopt;
}

struct Advice {
  std::string what;
  std::string_view why;  // behind "X cannot be started"
  std::string_view fix;
};

Advice advice_on(const host::SpawnError& trouble, const std::string& program, const std::string& path) {
  const bool finding = trouble.stage == host::SpawnStage::finding_the_program;
  if (finding && trouble.error == EACCES) {
    return {fmt::format("{} is in {}, but may not be run", program, path), "",
            "chmod 0755 the file, and mount what it lies on without noexec"};
  }
  if (finding) {
    return {fmt::format("{} is not in {}", program, path), "",
            "use the arizuko image as the base, or switch the service off: enabled = false"};
  }
  if (trouble.error == ENOEXEC) {
    return {host::to_text(trouble),
            "; an image for another CPU has such programs, and so has a download cut short",
            "use the image that was built for this machine: docker build --platform"};
  }
  return {host::to_text(trouble),
          "; a missing loader looks like a missing file: the gated line's programs are built for musl (T39)",
          "use the Alpine image that the program was built for"};
}

std::optional<host::SpawnError> trouble_with(const std::string& program, const std::string& path) {
  const auto found = host::find_executable(program, path);
  return found ? refusal(*found) : std::optional(found.error());
}

}  // namespace

namespace {

/// What the file would give whoever runs it: nothing of that comes to a child, see no_new_privs in spawn.cpp.
std::string privileges_of(const std::string& path, uid_t runs_as) {
  const auto info = look_at(path);
  if (runs_as == 0 || !info) return {};
  if (::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0)
    return "has capabilities of its own (setcap)";
  if ((info->st_mode & S_ISUID) != 0 && info->st_uid != runs_as)
    return fmt::format("is setuid, of uid {}", info->st_uid);
  return {};
}

void look_for_privileges(const Context& context, const plan::Service& service, const std::string& path,
                         Findings& found) {
  const std::string privileges = privileges_of(path, service.uid.value_or(context.user.uid));
  if (privileges.empty()) return;
  add(found, Severity::warning, "programs", service.where,
      fmt::format("{}.{}.command", service.kind == plan::Kind::task ? "task" : "service", service.name),
      fmt::format("{} {}", path, privileges),
      "a child never gets more privileges than arizuko-init has (no_new_privs): it runs without them",
      "let it listen above port 1024, or lower net.ipv4.ip_unprivileged_port_start");
}

}  // namespace

Findings check_programs(const Context& context) {
  Findings found;
  for (const plan::Service* each : running(context)) {
    const env::Environment environment = env::compose(context.plan, *each, context.snapshot);
    const std::string path = value_of(environment, "PATH");
    const std::string& program = is_rehearsed(*each) ? each->executable : each->command.front();
    const auto trouble = trouble_with(program, path);
    if (!trouble) {
      look_for_privileges(context, *each, host::find_executable(program, path).value_or(""), found);
      continue;
    }
    const std::string kind = each->kind == plan::Kind::task ? "task" : "service";
    const Advice advice = advice_on(*trouble, program, path);
    add(found, matters(context.plan, *each) ? Severity::error : Severity::warning, "programs", each->where,
        fmt::format("{}.{}.command", kind, each->name), advice.what,
        fmt::format("{} cannot be started{}", each->name, advice.why), advice.fix);
  }
  return found;
}

// ---------------------------------------------------------------------------------------------
// docker: gated, in today's arizuko runed, runs `docker info` at its start and exits when that fails (0.8)

namespace {

bool calls_docker(const plan::Service& service) {
  return program_name(service) == "gated" || program_name(service) == "runed" ||
         std::ranges::find(service.take, "DOCKER_HOST", &plan::Taken::name) != service.take.end();
}

/// The first line that says something, without secrets of ours: by the rule of the log, so that ordinary
/// words stay (docs/explanation/redaction.md).
std::string first_line(const Context& context, std::string_view output) {
  constexpr std::size_t longest = 200;
  env::Redactor redactor;
  redactor.take(env::secrets_of(context.plan, context.snapshot).values);
  std::string scratch;
  std::string text(redactor.redact(output, scratch, env::Ending::cut));
  for (const std::string_view mark : {"ERROR:", "error", "Error", "annot"}) {
    const std::size_t at = text.find(mark);
    if (at == std::string::npos) continue;
    text.erase(0, text.rfind('\n', at) + 1);
    break;
  }
  text.erase(std::min(text.find('\n'), text.size()));
  std::erase_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return text.substr(0, longest);
}

std::string outcome(const Context& context, const CommandResult& result) {
  switch (result.end) {
    case CommandResult::End::timed_out:
      return fmt::format("`docker info` did not answer within {} ms", context.docker_patience.count());
    case CommandResult::End::signalled: return fmt::format("`docker info` ended by signal {}", result.number);
    case CommandResult::End::exited: break;
  }
  const std::string line = first_line(context, result.output);
  return fmt::format("`docker info` ended with {}{}{}", result.number, line.empty() ? "" : ": ", line);
}

Findings ask_docker(const Context& context, const plan::Service& service) {
  const auto finding = [&](std::string_view what) {
    return one(
        Severity::error, "docker", service.where, fmt::format("service.{}", service.name), what,
        fmt::format("{} runs `docker info` at its start and exits when it fails: a crash loop that ends the "
                    "pod (0.8)",
                    service.name),
        "start a docker daemon beside it and set DOCKER_HOST, or put arizuko-docker into PATH as docker");
  };
  // As a child of the service sees it: another environment could give another answer.
  const env::Environment environment = env::compose(context.plan, service, context.snapshot);
  std::vector<std::string> entries;
  for (const auto& [name, value] : environment) entries.push_back(fmt::format("{}={}", name, value));
  const std::string path = value_of(environment, "PATH");
  const auto program = host::find_executable("docker", path);
  if (!program) return finding(fmt::format("there is no docker command in {}", path));
  const auto result = run_command(*program, {"docker", "info"}, entries, context.docker_patience);
  if (!result) return finding(host::to_text(result.error()));
  if (result->end == CommandResult::End::exited && result->number == 0) return {};
  return finding(outcome(context, *result));
}

}  // namespace

Findings check_docker(const Context& context) {
  for (const plan::Service* each : running(context)) {
    if (calls_docker(*each) && !is_rehearsed(*each)) return ask_docker(context, *each);
  }
  return {};
}

/// CONTAINER_BACKEND is the docker command's of arizuko-init; with another one it means nothing.
Findings check_agents(const Context& context) {
  Findings found;
  std::string caller = "the service that calls docker";
  for (const plan::Service* each : running(context)) {
    if (!calls_docker(*each) || is_rehearsed(*each)) continue;
    caller = each->name;
    const env::Environment environment = env::compose(context.plan, *each, context.snapshot);
    if (value_of(environment, "CONTAINER_BACKEND") != "none") continue;
    add(found, Severity::warning, "agents", source_of(context, "CONTAINER_BACKEND"), "CONTAINER_BACKEND",
        "it is none: no agent can run", "messages come in, and each turn that wants an agent fails (T40)",
        "in a cluster add the component agents-jobs and set it to kubernetes; elsewhere to docker");
  }
  const auto facts = host::read_agents_facts(context.plan.pod.data_dir);
  if (!facts) return found;
  const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  for (const host::FailingAgents& each : facts->failing) {
    host::AgentsFacts one;
    one.failing.push_back(each);
    add(found, Severity::warning, "agents", {context.plan.pod.data_dir + "/.arizuko-init/agents.json", 0, 0},
        each.group, host::agents_sentence(one, now),
        "its messages are answered by a failure, and its next turns wait up to a minute each (T40)",
        fmt::format("`docker info` with the environment of {} says whether agents can run: "
                    "docs/reference/agents.md",
                    caller));
  }
  return found;
}

// ---------------------------------------------------------------------------------------------

namespace {

Findings look_for_skills(const std::string& variable, const std::string& skills) {
  std::error_code failed;
  const std::filesystem::directory_iterator first(skills, failed);
  if (!failed && first != std::filesystem::directory_iterator{}) return {};
  return one(
      Severity::error, "skills", {skills, 0, 0}, variable,
      failed ? fmt::format("{}", failed.message()) : "it is empty",
      "agents would have no skills, and nothing says so (0.7)",
      fmt::format("{} is the directory that holds ant/skills: /opt/arizuko in the image; leave it unset "
                  "there",
                  variable));
}

}  // namespace

Findings check_skills(const Context& context) {
  Findings found;
  std::set<std::string> seen;
  for (const plan::Service* each : running(context)) {
    if (is_rehearsed(*each)) continue;
    const env::Environment environment = env::compose(context.plan, *each, context.snapshot);
    // The gated line's agents are given the first, today's a copy that runed makes of the second.
    for (const char* variable : {"HOST_APP_DIR", "APP_SRC_DIR"}) {
      const std::string directory = value_of(environment, variable);
      if (!directory.empty() && seen.insert(directory).second)
        append(found, look_for_skills(variable, directory + "/ant/skills"));
    }
  }
  return found;
}

// ---------------------------------------------------------------------------------------------

Findings check_socket_paths(const Context& context) {
  constexpr std::size_t longest = 107;  // unix(7), with the final NUL 108
  const std::string& data_dir = context.plan.pod.data_dir;
  const auto path_of = [&](const std::string& folder) {
    return fmt::format("{}/ipc/{}/gated.sock", data_dir, folder);
  };
  std::vector<std::string> folders = {"main"};
  std::error_code failed;
  constexpr std::size_t most = 10'000;
  for (std::filesystem::directory_iterator it(data_dir + "/groups", failed), end;
       !failed && it != end && folders.size() < most; it.increment(failed)) {
    folders.push_back(it->path().filename().string());
  }
  const auto worst =
      std::ranges::max_element(folders, {}, [](const std::string& each) { return each.size(); });
  const std::string path = path_of(*worst);
  if (path.size() <= longest) return {};
  return one(Severity::error, "socket-paths", {path, 0, 0}, "pod.data_dir",
             fmt::format("this socket's path has {} bytes, {} are the most", path.size(), longest),
             fmt::format("the agents of group {} run, and cannot answer (T38)", *worst),
             "use a shorter data directory, or a shorter name of the group");
}

}  // namespace arizuko::doctor
