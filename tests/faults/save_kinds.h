#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace lathe {

/// A way in which the program saves, and how what it saved is opened again.
struct SaveKind {
  std::string name;
  std::function<void(const std::filesystem::path& place, int version)> save;
  std::function<int(const std::filesystem::path& place)> open;  ///< the version; throws if not all of it is of one
  bool cleans_when_opened = true;                               ///< else what a killed save left goes at the next save
};

inline void PrintTo(const SaveKind& kind, std::ostream* out) { *out << kind.name; }

/// All of them. A new one needs its line in save_kinds.cpp.
std::vector<SaveKind> save_kinds();

/// Two that are not safe, to show that the tests see it: a file written over, and a folder whose files are replaced one
/// by one.
std::vector<SaveKind> naive_kinds();

SaveKind train_state_kind();  ///< in a file of its own, for it includes tensors

}  // namespace lathe
