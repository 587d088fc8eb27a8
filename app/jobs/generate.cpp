#include "app/jobs/generate.h"

#include "model/infer/generate.h"

namespace lathe {

Generated generate_with(const OpenedModel& opened, const Generate& command, const Job& job, const Outbox& outbox) {
  GenerateRequest request{.settings = command.settings};
  request.on_token = [&outbox](const TokenWritten& token) { outbox.event({.job = 0, .what = token}); };
  const Model& model = command.original ? opened.original() : opened.model();
  Generated generated = generate(model, opened.tokenizer, request, job);
  outbox.event({.job = 0, .what = generated});
  job.check();
  return generated;
}

}  // namespace lathe
