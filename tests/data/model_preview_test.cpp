#include "model/data/model_preview.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/command.h"
#include "model/data/session.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kGb = 1'000'000'000;

/// Eight billion parameters on a machine with `cpu` GB and a GPU with `gpu` GB free; no GPU: less than none.
std::vector<MemoryChoice> choices(std::int64_t cpu, std::int64_t gpu = -1) {
  std::vector<MemoryChoice> all{{"cpu", "f32", 32 * kGb, cpu * kGb}, {"cpu", "bf16", 16 * kGb, cpu * kGb}};
  if (gpu < 0) return all;
  for (const auto& [dtype, need] : {std::pair("f32", 32), std::pair("bf16", 16), std::pair("f16", 16)})
    all.push_back({"cuda:0", dtype, need * kGb, gpu * kGb});
  return all;
}

std::string hint(const std::vector<MemoryChoice>& all, const std::string& device, const std::string& dtype) {
  const auto refusal = memory_refusal(all, chosen(all, device, dtype), "/models/big");
  return refusal ? refusal->hint : "";
}

TEST(MemoryChoices, AutoIsF32OnTheCpuAndBf16OnTheFirstGpu) {
  EXPECT_EQ(chosen(choices(64), "auto", "auto").device, "cpu");
  EXPECT_EQ(chosen(choices(64), "auto", "auto").dtype, "f32");
  EXPECT_EQ(chosen(choices(64, 80), "auto", "auto").device, "cuda:0");
  EXPECT_EQ(chosen(choices(64, 80), "auto", "auto").dtype, "bf16");
  EXPECT_EQ(chosen(choices(64, 80), "cpu", "bf16").need_bytes, 16 * kGb);
  EXPECT_EQ(chosen(choices(64, 80), "cuda", "auto").device, "cuda:0");
}

TEST(MemoryChoices, WhatFitsIsNotRefused) {
  EXPECT_FALSE(memory_refusal(choices(32), chosen(choices(32), "cpu", "f32"), "").has_value());
  EXPECT_FALSE(memory_refusal({}, chosen({}, "auto", "auto"), "").has_value()) << "nothing is known";
}

TEST(MemoryChoices, ARefusalNamesTheSmallestChangeThatFits) {
  EXPECT_THAT(hint(choices(20), "cpu", "f32"), HasSubstr("as bf16"));
  EXPECT_THAT(hint(choices(64, 20), "cuda", "f32"), HasSubstr("as bf16")) << "the same device comes first";
  EXPECT_EQ(hint(choices(64, 8), "cuda", "f32"), "load it on the CPU");
  EXPECT_EQ(hint(choices(20, 8), "cuda", "f32"), "load it on the CPU as bf16");
  EXPECT_EQ(hint(choices(8, 80), "cpu", "bf16"), "load it on cuda:0");
  EXPECT_THAT(hint(choices(8), "cpu", "f32"), HasSubstr("32 GB free"));
}

TEST(MemoryChoices, ARefusalHasAllParts) {
  const auto all = choices(20);
  const auto refusal = memory_refusal(all, chosen(all, "cpu", "f32"), "/models/big");
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->code, ErrorCode::Memory);
  EXPECT_EQ(refusal->where, "/models/big");
  EXPECT_EQ(refusal->got, "20 GB free");
  EXPECT_THAT(refusal->expected, HasSubstr("32 GB"));
}

TEST(Previews, AreNoJobAndTheNewestIsShown) {
  const Command ask{7, PreviewModel{.path = "/models/a"}};
  EXPECT_FALSE(is_job(ask));
  Session session;
  reduce(session, ask);
  EXPECT_EQ(session.previewing, 7);
  EXPECT_TRUE(session.jobs.empty());
  reduce(session, Snapshot{std::make_shared<const ModelPreview>(ModelPreview{.path = "/models/a"})});
  reduce(session, Event{7, JobEnded{}});
  EXPECT_EQ(session.previewing, 0);
  ASSERT_TRUE(session.preview);
  EXPECT_EQ(session.preview->path, "/models/a");
}

TEST(Previews, AFailedJobKeepsThePartsOfItsError) {
  Session session;
  reduce(session, Event{3, JobStarted{"Open a"}});
  reduce(session,
         Event{3, JobEnded{.outcome = JobOutcome::Failed, .message = "m", .error = {.what = "w", .got = "g"}}});
  EXPECT_EQ(session.jobs.at(0).error, (ErrorParts{.what = "w", .got = "g"}));
}

}  // namespace
}  // namespace lathe
