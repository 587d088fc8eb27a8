#include "views/jobs_view.h"
#include "views/layer_board_view.h"
#include "views/log_view.h"
#include "views/view.h"

namespace lathe {
namespace {

template <typename... Views>
std::vector<std::unique_ptr<View>> list() {
  std::vector<std::unique_ptr<View>> views;
  (views.push_back(std::make_unique<Views>()), ...);
  return views;
}

}  // namespace

std::vector<std::unique_ptr<View>> make_views() { return list<LayerBoardView, JobsView, LogView>(); }

}  // namespace lathe
