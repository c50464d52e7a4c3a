// A Secret or ConfigMap volume, written in the kubelet's own order (kubernetes.md; AtomicWriter in
// kubernetes/pkg/volume/util/atomic_writer.go), with a hook after each step.
//
// A hook that throws is a kubelet killed there: what is on the disk stays as it is, and the next call is
// the kubelet started again. As the real one it goes by what it finds: equal content writes nothing, the
// directory that `..data` names is the old one, directories of killed writers stay. One difference: a
// `..data_tmp` that was left makes the real one fail at every sync; here it is removed first.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace arizuko::host::testing {

enum class KubeletOrder {
  today,  // ownership, switch, links of new keys
  v1_20,  // links of new keys, switch, links of old keys, old directory, ownership
};

enum class KubeletStep {
  directory_made,    // the new timestamp directory, 0700
  directory_opened,  // 0755
  file_written,      // once a key
  file_opened,       // once a key: defaultMode
  ownership_set,     // once a file: fsGroup, 0400 becomes 0440
  data_tmp_linked,
  switched,      // ..data_tmp renamed to ..data
  key_linked,    // once a new key
  key_unlinked,  // once a removed key
  old_removed,
};

class KubeletVolume {
 public:
  using Values = std::map<std::string, std::string>;
  using Hook = std::function<void(KubeletStep)>;

  /// The volume's directory is made if it is not there (the kubelet makes it before the container).
  explicit KubeletVolume(std::string path, KubeletOrder order = KubeletOrder::today)
      : path_(std::move(path)), order_(order) {
    std::filesystem::create_directories(path_);
  }

  void after_each_step(Hook hook) { hook_ = std::move(hook); }

  /// The Secret holds exactly these.
  void set(Values values) {
    values_ = std::move(values);
    write();
  }
  void set(const std::string& key, std::string value) {
    values_[key] = std::move(value);
    write();
  }
  void remove(const std::string& key) {
    values_.erase(key);
    write();
  }
  /// An optional Secret was deleted: `..data` stays and points to an empty directory.
  void clear() { set(Values{}); }
  /// The next sync of a kubelet that was killed.
  void sync() { write(); }

  const Values& values() const { return values_; }
  const std::string& path() const { return path_; }
  /// The name of the directory that `..data` points to.
  std::string generation() const {
    std::error_code none;
    return std::filesystem::read_symlink(at("..data"), none).string();
  }

 private:
  using perms = std::filesystem::perms;

  std::string at(const std::string& name) const { return path_ + "/" + name; }
  void step(KubeletStep done) const {
    if (hook_) hook_(done);
  }

  void write() {
    const std::string old = generation();
    const Values before = values_below(old);
    if (!old.empty() && before == values_) return;
    std::filesystem::remove(at("..data_tmp"));

    const std::string fresh = make_directory();
    if (order_ == KubeletOrder::today) {
      set_ownership(fresh);
    } else {
      link_new_keys();
    }
    std::filesystem::create_symlink(fresh, at("..data_tmp"));
    step(KubeletStep::data_tmp_linked);
    std::filesystem::rename(at("..data_tmp"), at("..data"));
    step(KubeletStep::switched);
    if (order_ == KubeletOrder::today) link_new_keys();
    unlink_old_keys(before);
    if (!old.empty()) {
      std::filesystem::remove_all(at(old));
      step(KubeletStep::old_removed);
    }
    if (order_ == KubeletOrder::v1_20) set_ownership(fresh);
  }

  Values values_below(const std::string& generation) const {
    Values values;
    if (generation.empty()) return values;
    for (const auto& entry : std::filesystem::directory_iterator(at(generation))) {
      std::stringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      values[entry.path().filename()] = text.str();
    }
    return values;
  }

  std::string make_directory() {
    std::string name = fmt::format("..2026_11_22_19_57_00.{}", ::getpid() * 1000L + ++count_);
    std::filesystem::create_directory(at(name));
    std::filesystem::permissions(at(name), perms(0700));
    step(KubeletStep::directory_made);
    std::filesystem::permissions(at(name), perms(0755));
    step(KubeletStep::directory_opened);
    for (const auto& [key, value] : values_) {
      const std::string file = at(name) + "/" + key;
      std::ofstream(file, std::ios::binary) << value;
      step(KubeletStep::file_written);
      std::filesystem::permissions(file, perms(0400));
      step(KubeletStep::file_opened);
    }
    return name;
  }

  /// No other group is at hand in a test: the mode alone, which is the same event.
  void set_ownership(const std::string& generation) {
    for (const auto& [key, value] : values_) {
      std::filesystem::permissions(at(generation) + "/" + key, perms(0440));
      step(KubeletStep::ownership_set);
    }
  }

  void link_new_keys() {
    for (const auto& [key, value] : values_) {
      if (std::filesystem::is_symlink(at(key))) continue;
      std::filesystem::create_symlink("..data/" + key, at(key));
      step(KubeletStep::key_linked);
    }
  }

  void unlink_old_keys(const Values& before) {
    for (const auto& [key, value] : before) {
      if (values_.contains(key)) continue;
      std::filesystem::remove(at(key));
      step(KubeletStep::key_unlinked);
    }
  }

  std::string path_;
  KubeletOrder order_;
  Hook hook_;
  Values values_;
  long count_ = 0;
};

}  // namespace arizuko::host::testing
