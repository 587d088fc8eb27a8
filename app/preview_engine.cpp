#include "app/preview_engine.h"

#include "app/devices.h"
#include "app/jobs/preview.h"

namespace lathe {
namespace {

class PreviewEngine final : public Engine {
 public:
  void run(const Command& command, const Job& job, const Outbox& outbox) override {
    const auto* ask = std::get_if<PreviewModel>(&command.what);
    if (ask == nullptr) return;
    load_gpu();  // its memory is part of the answer
    outbox.picture(std::make_shared<const ModelPreview>(preview_model(*ask, job)));
  }
};

}  // namespace

std::unique_ptr<Engine> make_preview_engine() { return std::make_unique<PreviewEngine>(); }

}  // namespace lathe
