#include "model/io/hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "model/data/error.h"
#include "model/io/mapped_file.h"
#include "model/io/mapping_guard.h"

namespace lathe {

namespace {

void require(bool done) {
  if (!done) throw Error({.what = "SHA-256 failed", .where = "libcrypto", .hint = "check the OpenSSL installation"});
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { require(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += kDigits[digest.at(i) >> 4];
    out += kDigits[digest.at(i) & 15];
  }
  return out;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_hex(std::string_view text) { return sha256_hex(std::as_bytes(std::span(text))); }

std::string sha256_file(const std::filesystem::path& path, const Job& job) {
  constexpr std::size_t kChunk = std::size_t{16} << 20;
  const MappedFile file(path);
  const auto bytes = file.bytes();
  Sha256 hash;
  for (std::size_t at = 0; at < bytes.size(); at += kChunk) {
    job.progress("checking", "bytes", static_cast<std::int64_t>(at), static_cast<std::int64_t>(bytes.size()));
    hash.update(bytes.subspan(at, std::min(kChunk, bytes.size() - at)));
  }
  check_unchanged(bytes);
  return hash.hex();
}

}  // namespace lathe
