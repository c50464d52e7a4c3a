#include "arizuko/engine/reload.hpp"

namespace arizuko::engine {

std::string fixed_in_a_run(const plan::Pod& running, const plan::Pod& fresh) {
  if (fresh.data_dir == running.data_dir && fresh.instance == running.instance) return "";
  return "pod.instance and pod.data_dir cannot change while running; end the run and start it anew";
}

}  // namespace arizuko::engine
