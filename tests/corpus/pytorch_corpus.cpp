#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/corpus/bad_file.h"
#include "tests/corpus/pickle_builder.h"

// Files of PyTorch as archives: what is wrong outside of the pickle.

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr std::optional<ErrorCode> kOpens = std::nullopt;
constexpr const char* kConfig =
    R"({"model_type":"llama","vocab_size":32,"hidden_size":16,"intermediate_size":32,"num_hidden_layers":1,)"
    R"("num_attention_heads":4,"num_key_value_heads":2})";

void write(const fs::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

BadFile archive_of(const std::string& name, std::optional<ErrorCode> expected,
                   const std::function<void(ZipBuilder&)>& change) {
  ZipBuilder zip = pickle::archive();
  change(zip);
  return pytorch_file("zip_" + name, zip.bytes(), expected);
}

BadFile changed_part(const std::string& name, std::optional<ErrorCode> expected,
                     const std::function<void(ZipPart&)>& change, const char* part = "archive/data/0") {
  return archive_of(name, expected, [&](ZipBuilder& zip) { change(zip.part(part)); });
}

std::vector<BadFile> ends() {
  const std::string good = pickle::archive().bytes();
  const std::string end = good.substr(good.size() - 22);
  const auto cut = [&](const std::string& name, std::size_t bytes) {
    return pytorch_file("zip_cut_" + name, good.substr(0, bytes), ErrorCode::Truncated);
  };
  return {
      pytorch_file("zip_ok", good, kOpens),
      pytorch_file("zip_not_one", "hello", ErrorCode::WrongFormat),
      pytorch_file("zip_empty_file", "", ErrorCode::Truncated),
      cut("in_its_first_header", 20),
      cut("in_the_pickle", 80),
      cut("in_its_list", good.size() - 150),
      cut("in_its_zip64_end", good.size() - 60),
      cut("before_its_end", good.size() - 22),
      cut("in_its_end", good.size() - 1),
      pytorch_file("zip_two_ends", good + end, ErrorCode::Zip),
      archive_of("count_60000", ErrorCode::Zip, [](ZipBuilder& zip) { zip.count = 60'000; }),
      archive_of("list_past_the_end", ErrorCode::Zip, [](ZipBuilder& zip) { zip.list_offset = 1'000'000; }),
      archive_of("count_60000_without_zip64", ErrorCode::Zip,
                 [](ZipBuilder& zip) {
                   zip.zip64 = false;
                   zip.count = 60'000;
                 }),
      archive_of("without_zip64", kOpens, [](ZipBuilder& zip) { zip.zip64 = false; }),
      archive_of("comment_missing", ErrorCode::Zip, [](ZipBuilder& zip) { zip.comment_bytes = 7; }),
      archive_of("zip64_end_nowhere", ErrorCode::Zip,
                 [](ZipBuilder& zip) { zip.zip64_end_at = ~std::uint64_t{0} - 8; }),
      pytorch_file("zip_prefix", "MZ\x90\x00" + good, ErrorCode::WrongFormat),
      pytorch_file("zip_trailing", good + "x", ErrorCode::Trailing),
      pytorch_file("zip_7z", "7z\xBC\xAF\x27\x1C" + std::string(60, '\0'), ErrorCode::WrongFormat),
      pytorch_file("zip_tar", std::string(257, 'a') + "ustar" + std::string(250, '\0'), ErrorCode::WrongFormat),
      pytorch_file("zip_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
                   ErrorCode::LfsPointer),
      pytorch_file("zip_web_page", "<!DOCTYPE html><html></html>", ErrorCode::Html),
  };
}

std::vector<BadFile> names() {
  std::vector<BadFile> cases;
  const auto named = [&](const std::string& name, const std::string& entry, ErrorCode expected) {
    cases.push_back(archive_of("name_" + name, expected, [&](ZipBuilder& zip) { zip.parts.push_back({entry, "x"}); }));
  };
  named("twice", "archive/data/0", ErrorCode::DuplicateKey);
  named("of_another_folder", "other/data/1", ErrorCode::WrongFormat);
  named("without_folder", "data.pkl", ErrorCode::WrongFormat);
  named("absolute", "/etc/cron.d/x", ErrorCode::Path);
  named("upwards", "archive/../../x", ErrorCode::Path);
  named("backslash", "archive\\..\\x", ErrorCode::Path);
  named("nul", std::string("archive/\0x", 10), ErrorCode::Name);
  named("65535_bytes", "archive/" + std::string(65'527, 'x'), ErrorCode::Name);
  named("empty", "", ErrorCode::Name);
  named("not_utf8", "archive/\xff", ErrorCode::Utf8);
  named("code", "archive/code/__torch__.py", ErrorCode::TorchScript);
  named("constants", "archive/constants.pkl", ErrorCode::TorchScript);
  named("package", "archive/.data/extern_modules", ErrorCode::TorchScript);
  return cases;
}

/// A stream of deflate that stores `data` as it is.
std::string deflated(const std::string& data) {
  std::string out = "\1";
  append<std::uint16_t>(out, static_cast<std::uint16_t>(data.size()));
  append<std::uint16_t>(out, static_cast<std::uint16_t>(~data.size()));
  return out + data;
}

std::vector<BadFile> entries() {
  const ErrorCode zip = ErrorCode::Zip;
  return {
      changed_part("local_name_differs", zip, [](ZipPart& part) { part.local_name = "archive/data/1"; }),
      changed_part("encrypted", zip, [](ZipPart& part) { part.flags |= 1U; }),
      changed_part("method_8_lie", zip, [](ZipPart& part) { part.method = 8; }),
      changed_part("method_99", zip, [](ZipPart& part) { part.method = 99; }),
      changed_part("size_too_big", zip, [](ZipPart& part) { part.stored_bytes = part.real_bytes = 1'000'000; }),
      changed_part("sizes_differ", zip, [](ZipPart& part) { part.real_bytes = 8; }),
      changed_part("size_too_small", ErrorCode::Size, [](ZipPart& part) { part.stored_bytes = part.real_bytes = 8; }),
      changed_part("offset_past", zip, [](ZipPart& part) { part.offset = 1'000'000; }),
      changed_part("offset_of_another_entry", zip, [](ZipPart& part) { part.offset = 0; }),
      changed_part("crc_in_the_list", ErrorCode::Checksum, [](ZipPart& part) { part.crc32 = 1; }),
      changed_part("crc_not_written", kOpens, [](ZipPart& part) { part.crc32 = 0; }),
      changed_part("storage_empty", ErrorCode::Size, [](ZipPart& part) { part.data.clear(); }),
      changed_part("storage_missing", ErrorCode::Truncated, [](ZipPart& part) { part.name = "archive/data/9"; }),
  };
}

std::vector<BadFile> records() {
  std::vector<BadFile> cases;
  const auto renamed = [&](const std::string& name, const char* part, ErrorCode expected) {
    cases.push_back(changed_part(
        name, expected, [](ZipPart& gone) { gone.name = "archive/x"; }, part));
  };
  const auto says = [&](const std::string& name, const char* part, const std::string& data, ErrorCode expected) {
    cases.push_back(changed_part(
        name, expected, [&](ZipPart& changed) { changed.data = data; }, part));
  };
  renamed("pickle_missing", "archive/data.pkl", ErrorCode::WrongFormat);
  renamed("version_missing", "archive/version", ErrorCode::Zip);
  says("version_999", "archive/version", "999\n", ErrorCode::Version);
  says("version_text", "archive/version", "new", ErrorCode::Version);
  says("big_endian", "archive/byteorder", "big", ErrorCode::Endian);
  says("odd_endian", "archive/byteorder", "pdp", ErrorCode::Endian);
  says("nested", "archive/data.pkl", pickle::archive().bytes(), ErrorCode::Opcode);
  const auto damaged = [](ZipPart& part) { part.crc32 = 1; };
  cases.push_back(changed_part("crc_of_the_pickle", ErrorCode::Checksum, damaged, "archive/data.pkl"));
  return cases;
}

std::vector<BadFile> sizes_of_64_bits() {
  const ErrorCode zip = ErrorCode::Zip;
  std::vector<BadFile> cases;
  const auto wide = [](ZipPart& part, std::uint64_t bytes) {
    part.stored_bytes = part.real_bytes = ~std::uint32_t{0};
    part.extra = std::string("FB\0\0\1\0\x10\0", 8);
    append(part.extra, bytes);
    append(part.extra, bytes);
  };
  cases.push_back(changed_part("size_of_64_bits", kOpens, [&](ZipPart& part) { wide(part, 16); }));
  cases.push_back(changed_part("size_of_64_bits_wrong", ErrorCode::Offsets, [&](ZipPart& part) { wide(part, 17); }));
  cases.push_back(changed_part("size_of_2p64", zip, [&](ZipPart& part) { wide(part, ~std::uint64_t{0} - 30); }));
  const auto cut = [&](ZipPart& part) {
    wide(part, 16);
    part.extra.resize(16);
  };
  cases.push_back(changed_part("size_of_64_bits_cut", zip, cut));
  const auto missing = [](ZipPart& part) { part.stored_bytes = part.real_bytes = ~std::uint32_t{0}; };
  cases.push_back(changed_part("size_of_64_bits_missing", zip, missing));
  return cases;
}

std::vector<BadFile> packed_and_overlapping() {
  const ErrorCode zip = ErrorCode::Zip;
  std::vector<BadFile> cases;
  const auto deflate = [](ZipPart& part) {
    part.real_bytes = static_cast<std::uint32_t>(part.data.size());
    part.crc32 = crc32_of(part.data);
    part.data = deflated(part.data);
    part.method = 8;
  };
  cases.push_back(changed_part("deflated", zip, deflate));
  const auto bomb = [](ZipPart& part) {
    part.data = std::string(195'000, '\0');
    part.real_bytes = 200'000'000;
    part.method = 8;
  };
  cases.push_back(changed_part("bomb", zip, bomb));
  // An entry that lies in the bytes of the one before.
  const auto overlap = [](ZipBuilder& archive) {
    ZipBuilder inner{.parts = {{"archive/data/1", "abcd"}}};
    const std::string hidden = inner.bytes().substr(0, 30 + 14 + 4);
    archive.parts = {{"archive/data/0", hidden}, {"archive/data/1", "abcd"}};
    archive.parts[1].offset = 30 + 14;
  };
  cases.push_back(archive_of("overlapping", ErrorCode::Offsets, overlap));
  return cases;
}

/// One shard of Meta's, of a model with four tensors that tell its sizes.
std::string meta_shard(std::int64_t rows) {
  using namespace pickle;
  std::string dict = kEmptyDict;
  const auto add = [&](const char* name, std::int64_t first, std::int64_t second) {
    const Tensor tensor{.num_values = number(64), .sizes = numbers({first, second}), .strides = numbers({second, 1})};
    dict += string(name) + tensor.value() + "s";
  };
  add("tok_embeddings.weight", rows, 4);
  add("layers.0.feed_forward.w1.weight", 16, 4);
  add("layers.0.attention.wq.weight", 4, 4);
  return archive(program(dict), std::string(256, '\0')).bytes();
}

BadFile meta_folder(const std::string& name, const std::string& params, std::optional<ErrorCode> expected,
                    const std::vector<std::string>& shards = {"consolidated.00.pth"}) {
  const auto write_folder = [=](const fs::path& folder) {
    write(folder / "params.json", params);
    for (const std::string& shard : shards) write(folder / shard, meta_shard(8));
  };
  return {.name = "pytorch/meta_" + name, .write = write_folder, .opened = "", .expected = expected};
}

std::vector<BadFile> meta() {
  const std::string good = R"({"dim":4,"n_layers":1,"n_heads":2,"multiple_of":16,"norm_eps":1e-5,"vocab_size":-1})";
  const auto with = [&](const std::string& more) { return good.substr(0, good.size() - 1) + "," + more + "}"; };
  return {
      meta_folder("ok", good, kOpens),
      meta_folder("shard_missing", good, ErrorCode::Shard, {"consolidated.00.pth", "consolidated.02.pth"}),
      meta_folder("no_dim", R"({"n_layers":1,"n_heads":2})", ErrorCode::Schema),
      meta_folder("not_an_object", "[]", ErrorCode::Schema),
      meta_folder("not_json", "{", ErrorCode::Json),
      meta_folder("dim_0", R"({"dim":0,"n_layers":1,"n_heads":2})", ErrorCode::Config),
      meta_folder("mixture_of_experts", with(R"("moe_args":{"num_experts":8})"), ErrorCode::Config),
      meta_folder("of_mistral", with(R"("sliding_window":4096)"), ErrorCode::Config),
      meta_folder("another_vocabulary", R"({"dim":4,"n_layers":1,"n_heads":2,"multiple_of":16,"vocab_size":9})",
                  ErrorCode::Config),
      meta_folder("another_feed_forward", with(R"("ffn_dim_multiplier":7.0)"), ErrorCode::Config),
      meta_folder("multiple_of_0", R"({"dim":4,"n_layers":1,"n_heads":2,"multiple_of":0})", ErrorCode::Config),
      meta_folder("heads_not_dividing", R"({"dim":4,"n_layers":1,"n_heads":3,"multiple_of":16})", ErrorCode::Config),
  };
}

}  // namespace

BadFile pytorch_file(const std::string& name, const std::string& bytes, std::optional<ErrorCode> expected) {
  const auto write_folder = [bytes](const fs::path& folder) {
    write(folder / "config.json", kConfig);
    write(folder / "model.bin", bytes);
  };
  return {.name = "pytorch/" + name, .write = write_folder, .opened = "model.bin", .expected = expected};
}

std::vector<BadFile> pytorch_corpus() {
  std::vector<BadFile> corpus;
  for (auto part : {ends, names, entries, records, sizes_of_64_bits, packed_and_overlapping, meta, pickle_corpus})
    std::ranges::move(part(), std::back_inserter(corpus));
  return corpus;
}

}  // namespace lathe
