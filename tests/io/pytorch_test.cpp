#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/meta_config.h"
#include "model/io/pytorch_content.h"
#include "model/io/pytorch_file.h"
#include "model/io/pytorch_state_dict.h"
#include "model/io/pytorch_tensor.h"
#include "model/io/unpickler.h"
#include "tests/corpus/bad_file.h"
#include "tests/corpus/pickle_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

Pickle read(const std::string& bytes) { return read_pickle(std::as_bytes(std::span(bytes)), "data.pkl"); }

/// What is wrong with a file that must not open.
ErrorParts refusal(const fs::path& path) {
  try {
    PytorchFile file(path);
  } catch (const Error& error) {
    return error.parts();
  }
  return {.what = "it opened"};
}

/// Opens the file and reads every tensor. Either that works or it is an Error: anything else ends the test program.
bool opens(const fs::path& path) {
  try {
    const Checkpoint checkpoint = open_checkpoint(path);
    for (const auto& [name, entry] : checkpoint.tensors()) {
      std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
      read_rows(entry, 0, entry.num_rows(), values);
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// A file of two tensors, one of them a view with gaps, as PyTorch makes them.
std::string small_archive() {
  using namespace pickle;
  const Tensor column{.sizes = numbers({2, 1}), .strides = numbers({2, 1})};
  ZipBuilder zip = archive(program(dict_of(Tensor().value()) + string("b") + column.value() + "s"), "abcdefghijklmnop");
  return zip.bytes();
}

TEST(Unpickler, GivesNumbersTextsAndContainersAsTheyWereSaved) {
  using namespace pickle;
  const std::string bytes =
      program(tuple({number(-5), "K\xff", "M\xff\xff", "J\xff\xff\xff\xff", std::string("\x8a\x00", 2), "\x8a\x01\x80",
                     string("h\xc3\xa9"), "N", "\x88"}) +
              "q\1"
              "h\1\x86");
  const Pickle pickle = read(bytes);

  ASSERT_EQ(pickle.top().kind, PickleKind::Tuple);
  const PickleValue& values = pickle.at(pickle.top().items[0]);
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(pickle.at(values.items[i]).kind, PickleKind::Int);
    numbers.push_back(pickle.at(values.items[i]).number);
  }
  EXPECT_THAT(numbers, ElementsAre(-5, 255, 65535, -1, 0, -128));
  EXPECT_EQ(pickle.at(values.items[6]).text, "h\xc3\xa9");
  EXPECT_EQ(pickle.at(values.items[7]).kind, PickleKind::None);
  EXPECT_EQ(pickle.at(values.items[8]).number, 1);
  EXPECT_EQ(pickle.top().items[0], pickle.top().items[1]) << "a noted value is the same value";
  EXPECT_EQ(pickle.bytes, bytes.size());
}

TEST(Unpickler, NamesWhatItDoesNotRun) {
  try {
    read(pickle::program("cos\nsys\x1b[2Jtem\n)R"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::UnsafeGlobal);
    EXPECT_EQ(error.parts().got, "os.sys?[2Jtem") << "nothing that a terminal would obey";
    EXPECT_EQ(error.parts().where, "byte 2 of data.pkl");
  }
}

TEST(Unpickler, TakesTheLimitAndNotOneMore) {
  const auto nested = [](int depth) {
    return pickle::program(")" + std::string(static_cast<std::size_t>(depth), '\x85'));
  };
  EXPECT_NO_THROW(read(nested(64)));
  EXPECT_THROW(read(nested(65)), Error);

  const auto text_of = [](std::size_t bytes) { return pickle::program(pickle::string(std::string(bytes, 'x'))); };
  EXPECT_NO_THROW(read(text_of(1'000'000)));
  EXPECT_THROW(read(text_of(1'000'001)), Error);

  const auto stacked = [](std::size_t values) { return pickle::program("(" + std::string(values, ')') + "t"); };
  EXPECT_NO_THROW(read(stacked(1'000'000)));
  EXPECT_THROW(read(stacked(1'000'001)), Error);
}

TEST(PytorchFile, FindsDamageWhenTheValuesAreFirstRead) {
  const TempFolder folder;
  folder.write("config.json", "{}");
  std::string bytes = small_archive();
  bytes[bytes.find("abcdefgh") + 3] ^= 1;
  folder.write("model.bin", bytes);

  const Checkpoint checkpoint = open_checkpoint(folder.path());

  std::vector<float> values(4);
  for (int i = 0; i < 2; ++i) {
    try {
      read_rows(checkpoint.at("a"), 0, 1, values);
      FAIL() << "damaged values were read";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Checksum);
      EXPECT_THAT(error.parts().where, HasSubstr("entry \"archive/data/0\" of " + folder.path().string()));
    }
  }
}

TEST(PytorchFile, OfATrainerIsNotMistakenForWeights) {
  const TempFolder folder;
  folder.write("config.json", "{}");
  for (const char* name : {"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"})
    folder.write(name, "x");
  folder.write("weights.pt", small_archive());

  EXPECT_EQ(open_checkpoint(folder.path()).tensors().size(), 2U);

  folder.write("more.pt", small_archive());
  EXPECT_THROW(open_checkpoint(folder.path()), Error);
  folder.write("pytorch_model.bin", small_archive());
  EXPECT_EQ(open_checkpoint(folder.path()).tensors().size(), 2U);
}

TEST(PytorchFile, BesideNoConfigOpensWithTheOneThatTheUserNames) {
  const TempFolder folder;
  const fs::path config = folder.write("other/config.json", R"({"model_type":"llama"})");
  const fs::path file = folder.write("model.pt", small_archive());

  EXPECT_THROW(open_checkpoint(file), Error);
  EXPECT_EQ(open_checkpoint(file, {}, config).config_json().at("model_type"), "llama");

  folder.write("params.json", "{}");
  folder.write("consolidated.00.pth", small_archive());
  EXPECT_THROW(open_checkpoint(folder.path(), {}, config), Error);
}

TEST(PytorchFile, RunsNothingWhateverItAsksFor) {
  const TempFolder folder;
  const fs::path trace = folder.path() / "executed";
  const std::string command = "touch '" + trace.string() + "'";
  using namespace pickle;
  const std::vector<std::pair<std::string, std::string>> calls{
      {"os", "system"},       {"posix", "system"},     {"builtins", "eval"},   {"builtins", "exec"},
      {"subprocess", "call"}, {"subprocess", "Popen"}, {"os", "popen"},        {"pty", "spawn"},
      {"runpy", "_run_code"}, {"torch", "load"},       {"webbrowser", "open"}, {"importlib", "import_module"},
      {"torch.jit", "load"},  {"ctypes", "CDLL"},      {"code", "interact"},   {"shutil", "rmtree"}};
  int refused = 0;
  for (const auto& [module, name] : calls) {
    const std::string argument = tuple({string(command)});
    const std::vector<std::string> ways{
        global(module, name) + argument + "R", string(module) + string(name) + "\x93" + argument + "R",
        "(i" + module + "\n" + name + "\n", "(" + global(module, name) + string(command) + "o",
        global(module, name) + argument + "\x81"};
    for (const std::string& way : ways) {
      const Tensor tensor;
      for (const std::string& opcodes :
           {way, dict_of(way), dict_of(tensor.value()) + string("x") + way + "s", tensor.value() + way + "b"}) {
        const ErrorParts zip = refusal(folder.write("a.bin", archive(program(opcodes)).bytes()));
        const ErrorParts legacy = refusal(folder.write("a.pt", program(opcodes)));
        for (const ErrorParts& parts : {zip, legacy}) {
          EXPECT_TRUE(parts.code == ErrorCode::UnsafeGlobal || parts.code == ErrorCode::Opcode) << to_text(parts);
          ++refused;
        }
      }
    }
  }
  EXPECT_EQ(refused, 16 * 5 * 4 * 2);
  EXPECT_FALSE(fs::exists(trace));
}

TEST(PytorchMutants, EveryCutAndEveryFlippedBitOpensOrIsRefused) {
  const TempFolder folder;
  folder.write("config.json", "{}");
  const std::string original = small_archive();
  const fs::path path = folder.write("model.bin", original);
  ASSERT_TRUE(opens(path));
  for (std::size_t size = 0; size < original.size(); ++size) {
    EXPECT_FALSE(opens(folder.write("model.bin", original.substr(0, size)))) << size;
  }
  int opened = 0;
  for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
    std::string mutant = original;
    mutant[bit / 8] = static_cast<char>(mutant[bit / 8] ^ (1 << (bit % 8)));
    opened += opens(folder.write("model.bin", mutant));
  }
  // Times and versions of the archive, which mean nothing, and the record of a checksum that says there is none.
  EXPECT_GT(opened, 0);
  EXPECT_LT(opened, static_cast<int>(original.size()) * 3);
}

/// Mutants of one pickle of a sound archive: what checksums would hide from the reader behind them.
TEST(PytorchMutants, OfAPickleOpenOrAreRefused) {
  using namespace pickle;
  const Tensor column{.sizes = numbers({2, 1}), .strides = numbers({2, 1})};
  const std::string original = program(dict_of(Tensor().value()) + string("b") + column.value() + "s" +
                                       string("model") + kOrderedDict + string("c") + Tensor().value() + "ss");
  constexpr int kMutants = 100'000;
  std::mt19937 random(4);
  int opened = 0;
  for (int i = 0; i < kMutants; ++i) {
    std::string mutant = original;
    for (std::size_t edits = 1 + random() % 3; edits > 0 && !mutant.empty(); --edits) {
      const std::size_t at = random() % mutant.size();
      const std::size_t kind = random() % 4;
      if (kind == 0) mutant[at] = static_cast<char>(random());
      if (kind == 1) mutant[at] = original[random() % original.size()];
      if (kind == 2) mutant.insert(at, original.substr(random() % original.size(), random() % 24));
      if (kind == 3) mutant.erase(at, 1 + random() % 8);
    }
    const std::string file = archive(mutant).bytes();
    try {
      const PytorchContent content = read_pytorch_zip(std::as_bytes(std::span(file)), "model.bin");
      const StateDict dict = find_state_dict(content.pickle, "model.bin");
      for (const PytorchTensor& tensor : read_pytorch_tensors(content, dict.tensors, "model.bin")) {
        const auto* begin = reinterpret_cast<const char*>(tensor.bytes.data());
        EXPECT_TRUE(tensor.bytes.empty() ||
                    (begin >= file.data() && begin + tensor.bytes.size() <= file.data() + file.size()));
      }
      ++opened;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(opened, kMutants / 100) << "the edits are too coarse to reach what lies behind";
  EXPECT_LT(opened, kMutants);
}

nlohmann::json config_of(nlohmann::json params, MetaSizes sizes, std::vector<std::string>& warnings) {
  return config_from_meta(params, sizes, "/models/params.json", warnings);
}

TEST(MetaConfig, IsThatOfTheReleasedModels) {
  std::vector<std::string> warnings;
  // Llama 2 7B, Llama 3 8B and Llama 3.2 1B, against their config.json on Hugging Face.
  const auto llama2 = config_of(
      {{"dim", 4096}, {"multiple_of", 256}, {"n_heads", 32}, {"n_layers", 32}, {"norm_eps", 1e-05}, {"vocab_size", -1}},
      {.vocab_size = 32000, .intermediate_size = 11008}, warnings);
  EXPECT_EQ(llama2.at("num_key_value_heads"), 32);
  EXPECT_EQ(llama2.at("max_position_embeddings"), 4096);
  EXPECT_EQ(llama2.at("vocab_size"), 32000);
  EXPECT_TRUE(llama2.at("rope_scaling").is_null());

  const auto llama3 = config_of({{"dim", 4096},
                                 {"n_layers", 32},
                                 {"n_heads", 32},
                                 {"n_kv_heads", 8},
                                 {"vocab_size", 128256},
                                 {"multiple_of", 1024},
                                 {"ffn_dim_multiplier", 1.3},
                                 {"norm_eps", 1e-05},
                                 {"rope_theta", 500000.0}},
                                {.vocab_size = 128256, .intermediate_size = 14336}, warnings);
  EXPECT_EQ(llama3.at("max_position_embeddings"), 8192);
  EXPECT_EQ(llama3.at("bos_token_id"), 128000);
  EXPECT_EQ(llama3.at("rope_theta"), 500000.0);

  warnings.clear();
  const auto llama32 = config_of({{"dim", 2048},
                                  {"n_layers", 16},
                                  {"n_heads", 32},
                                  {"n_kv_heads", 8},
                                  {"vocab_size", 128256},
                                  {"ffn_dim_multiplier", 1.5},
                                  {"multiple_of", 256},
                                  {"norm_eps", 1e-05},
                                  {"rope_theta", 500000.0},
                                  {"use_scaled_rope", true}},
                                 {.vocab_size = 128256, .intermediate_size = 8192}, warnings);
  EXPECT_EQ(llama32.at("rope_scaling").at("factor"), 32.0);
  EXPECT_EQ(llama32.at("max_position_embeddings"), 131072);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("RoPE is scaled; 32"), HasSubstr("131072 was taken")));
}

}  // namespace
}  // namespace lathe
