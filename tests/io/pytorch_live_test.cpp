#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>

#include "model/data/config.h"
#include "model/io/checkpoint.h"
#include "model/io/hash.h"
#include "model/io/pytorch_file.h"
#include "tests/io/float_matchers.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

// Files that PyTorch itself writes, against what PyTorch says is in them.

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kScript = "pytorch_reference.py";

std::vector<float> values_of(const TensorEntry& entry) {
  std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
  read_rows(entry, 0, entry.num_rows(), values);
  return values;
}

/// A line a tensor, as the script prints them.
std::string describe(const Checkpoint& checkpoint) {
  std::ostringstream out;
  for (const auto& [name, entry] : checkpoint.tensors()) {
    out << name << " " << type_name(entry.type) << " " << shape_text(entry.shape) << " "
        << sha256_hex(std::as_bytes(std::span<const float>(values_of(entry)))) << "\n";
  }
  return out.str();
}

/// The script runs once for all tests: to import PyTorch takes longer than the rest.
class PytorchFiles : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!why_no_python(kPackages).empty()) return;
    folder_ = std::make_unique<TempFolder>();
    const PythonResult python = run_reference("'" + folder_->path().string() + "'", kScript);
    ASSERT_TRUE(python.ok) << python.output;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  void SetUp() override { LATHE_NEEDS_PYTHON(kPackages); }

  static std::filesystem::path path(const std::string& name) { return folder_->path() / name; }

  static constexpr const char* kPackages = "torch numpy transformers";
  static std::unique_ptr<TempFolder> folder_;
};

std::unique_ptr<TempFolder> PytorchFiles::folder_;

TEST_F(PytorchFiles, OfEveryFormAndDtypeHaveTheValuesThatPytorchSaved) {
  folder_->write("files/config.json", "{}");

  for (const char* name :
       {"zip.pt", "ordered.pt", "protocol4.pt", "protocol5.pt", "no_checksum.pt", "legacy.pt", "legacy4.pt"}) {
    SCOPED_TRACE(name);
    const Checkpoint checkpoint = open_checkpoint(path("files") / name);
    EXPECT_EQ(describe(checkpoint), slurp(path("files/expected.txt")));
    EXPECT_EQ(checkpoint.format(), "PyTorch");
    EXPECT_THAT(checkpoint.warnings(),
                testing::UnorderedElementsAre(HasSubstr("\"tied\" is \"parameter\" under another name"),
                                              HasSubstr("\"same\" is \"dtype.F32\" under another name")));
    EXPECT_TRUE(checkpoint.at("view.rows").is_plain(DType::F32)) << "rows in a row need no copy";
    EXPECT_FALSE(checkpoint.at("view.columns").is_plain(DType::F32));
  }
}

TEST_F(PytorchFiles, GiveTheirTensorsFromWhereverTrainingScriptsPutThem) {
  const std::map<std::string, std::vector<std::string>> ways{
      {"plain", {}},
      {"wrapped", {"without \"module.\""}},
      {"compiled", {"without \"module._orig_mod.\""}},
      {"model", {"those of [\"model\"]"}},
      {"lightning", {"those of [\"state_dict\"]"}},
      {"deep", {"those of [\"model\"][\"state_dict\"]", "without \"module.\""}},
      {"extras", {"3 entries that are no tensors were left out: device, size, dtype"}}};

  for (const auto& [way, notes] : ways) {
    for (const char* form : {".zip.pt", ".legacy.pt"}) {
      SCOPED_TRACE(way + form);
      const PytorchFile file(path("nested") / (way + form));
      ASSERT_EQ(file.tensors().size(), 2U);
      EXPECT_EQ(file.tensors()[0].name, "a");
      EXPECT_EQ(file.tensors()[1].name, "b");
      EXPECT_EQ(file.tensors()[0].shape, (std::vector<std::int64_t>{2, 3}));
      EXPECT_THAT(floats_in(std::string(reinterpret_cast<const char*>(file.tensors()[1].bytes.data()), 16)),
                  ElementsAre(0, 1, 2, 3));
      ASSERT_EQ(file.warnings().size(), notes.size());
      for (std::size_t i = 0; i < notes.size(); ++i) EXPECT_THAT(file.warnings()[i], HasSubstr(notes[i]));
    }
  }
}

TEST_F(PytorchFiles, OfLightningHaveTheNamesOfTheModelInIt) {
  const PytorchFile file(path("nested/lightning_llama.zip.pt"));

  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.tensors()[0].name, "model.embed_tokens.weight");
  EXPECT_EQ(file.tensors()[1].name, "lm_head.weight");
  EXPECT_THAT(file.warnings(), ElementsAre(HasSubstr("[\"state_dict\"]"), HasSubstr("without \"model.\"")));
}

TEST_F(PytorchFiles, InShardsAreOneModel) {
  const std::string expected = slurp(path("sharded/expected.txt"));

  EXPECT_EQ(describe(open_checkpoint(path("sharded"))), expected);
  EXPECT_EQ(describe(open_checkpoint(path("sharded/pytorch_model-00002-of-00002.bin"))), expected);
  EXPECT_THAT(open_checkpoint(path("sharded")).warnings(), IsEmpty());
}

TEST_F(PytorchFiles, OfMetaAreTheModelThatHuggingFaceHas) {
  const Checkpoint hf = open_checkpoint(path("hf"));
  ModelConfig expected = config_from_json(hf.config_json());
  expected.bos_token_id = 1;
  expected.eos_token_ids = {2};
  for (const char* shards : {"meta1", "meta2", "meta4"}) {
    SCOPED_TRACE(shards);
    const Checkpoint meta = open_checkpoint(path(shards));

    EXPECT_EQ(describe(meta), describe(hf));
    EXPECT_EQ(config_from_json(meta.config_json()), expected);
    EXPECT_THAT(meta.warnings(), ElementsAre(HasSubstr("the length of the context; 4096 was taken")));
    EXPECT_EQ(describe(open_checkpoint(path(shards) / "consolidated.00.pth")), describe(hf));
  }
}

}  // namespace
}  // namespace lathe
