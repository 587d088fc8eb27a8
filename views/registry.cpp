#include "views/attention_view.h"
#include "views/generate_view.h"
#include "views/inspector_view.h"
#include "views/jobs_view.h"
#include "views/latent_view.h"
#include "views/layer_board_view.h"
#include "views/log_view.h"
#include "views/loss_view.h"
#include "views/optimiser_view.h"
#include "views/plan_view.h"
#include "views/receipt_view.h"
#include "views/router_view.h"
#include "views/tensor_view.h"
#include "views/train_view.h"
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

std::vector<std::unique_ptr<View>> make_views() {
  return list<LayerBoardView, PlanView, LossView, GenerateView, AttentionView, RouterView, OptimiserView, ReceiptView,
              LatentView, TensorView, TrainView, InspectorView, SamplingView, JobsView, LogView>();
}

}  // namespace lathe
