// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>
#include <new>

namespace goss {

namespace {

struct FreeMacContext {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// A library context of our own, never freed: OpenSSL's exit handler frees only the default one,
// and the library thread may still authenticate heartbeats while the program exits.
struct Algorithms {
  OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
  EVP_MAC* hmac = EVP_MAC_fetch(library, "HMAC", nullptr);
  EVP_MD* sha256 = EVP_MD_fetch(library, "SHA256", nullptr);
};

const Algorithms& algorithms() {
  static const Algorithms* const instance = new Algorithms;
  return *instance;
}

void need(bool condition) {
  if (!condition) throw std::bad_alloc();
}

const unsigned char* bytes_of(std::string_view part) {
  return reinterpret_cast<const unsigned char*>(part.data());
}

}  // namespace

Status check_crypto() {
  if (algorithms().hmac != nullptr && algorithms().sha256 != nullptr) return {};
  return fail(gossSystemError,
              "this OpenSSL offers no HMAC-SHA256, which authenticates the connections of a job: "
              "check its installation");
}

Digest hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MAC_CTX, FreeMacContext> context(EVP_MAC_CTX_new(algorithms().hmac));
  need(context != nullptr);
  char digest_name[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
      OSSL_PARAM_construct_end()};
  need(EVP_MAC_init(context.get(), bytes_of(key), key.size(), parameters) == 1);
  for (const std::string_view part : parts) {
    need(part.empty() || EVP_MAC_update(context.get(), bytes_of(part), part.size()) == 1);
  }
  Digest digest;
  size_t bytes = 0;
  need(EVP_MAC_final(context.get(), digest.data(), &bytes, digest.size()) == 1 &&
       bytes == digest.size());
  return digest;
}

Digest sha256(std::span<const std::string_view> parts) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigestContext> context(EVP_MD_CTX_new());
  need(context != nullptr);
  need(EVP_DigestInit_ex(context.get(), algorithms().sha256, nullptr) == 1);
  for (const std::string_view part : parts) {
    need(part.empty() || EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  Digest digest;
  unsigned int bytes = 0;
  need(EVP_DigestFinal_ex(context.get(), digest.data(), &bytes) == 1 && bytes == digest.size());
  return digest;
}

bool equal_digests(const void* a, const void* b, size_t bytes) {
  return CRYPTO_memcmp(a, b, bytes) == 0;
}

}  // namespace goss
